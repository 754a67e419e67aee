"""Where the examples lie, in a checkout and in an installed package."""

import shutil
from pathlib import Path

import seedream_daemon
from seedream_daemon.errors import ConfigError


def template_dir() -> Path:
    """Find inbox_template. Raises ConfigError if the installation lacks it."""
    package = Path(seedream_daemon.__file__).parent
    for place in (package / "inbox_template", package.parent / "inbox_template"):
        if place.is_dir():
            return place
    raise ConfigError("This installation lacks inbox_template; install seedream-daemon again.")


def copy_examples(inbox: Path) -> list[Path]:
    """Copy the examples into an inbox; what is there already is left as it is."""
    inbox.mkdir(parents=True, exist_ok=True)
    copied = []
    for item in sorted(template_dir().iterdir()):
        target = inbox / item.name
        if not target.exists():
            if item.is_dir():
                shutil.copytree(item, target)
            else:
                shutil.copyfile(item, target)
        if item.is_dir():
            copied.append(target)
    return copied
