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


def make_home(home: Path) -> list[str]:
    """Make a folder to work in: env.local, inbox with the examples, outputs. Overwrites nothing.

    Gives a sentence for each thing that was made or left as it is.
    """
    said = []
    env_file = home / "env.local"
    home.mkdir(parents=True, exist_ok=True)
    if env_file.exists():
        said.append(f"{env_file} is left as it is")
    else:
        env_file.touch(mode=0o600)
        env_file.write_text(env_example(), encoding="utf-8")
        said.append(f"{env_file}: put your ARK_API_KEY here")
    examples = copy_examples(home / "inbox" / "_examples")
    said.append(f"{home / 'inbox'}: drop job folders here")
    said.append(f"{home / 'inbox' / '_examples'}: {len(examples)} examples to copy from")
    (home / "outputs").mkdir(exist_ok=True)
    said.append(f"{home / 'outputs'}: the pictures come here")
    return said


def env_example() -> str:
    """Give the text of env.example."""
    return (template_dir().parent / "env.example").read_text(encoding="utf-8")
