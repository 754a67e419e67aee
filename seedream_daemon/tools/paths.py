"""Which folders tools may read, and how a path is said."""

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from seedream_daemon.inbox.place import Place
from seedream_daemon.job.draft import SPOILT
from seedream_daemon.settings import Settings
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.words import line

Where = Literal["inbox", "_running", "_done", "_failed", "elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The folders that tools read; links in them are followed no further than they reach.

    `photos` is where people put photos for tools. All methods block.
    """

    photos: Path
    inbox: Path
    readable: tuple[Path, ...]

    @classmethod
    def of(cls, settings: Settings, place: Place) -> "Roots":
        """Give the folders of a daemon."""
        named = (place.photos, settings.output_base_dir, *settings.allowed_roots)
        return cls(photos=place.photos, inbox=place.root, readable=named)

    @property
    def real(self) -> tuple[Path, ...]:
        """The readable folders with all links resolved."""
        return tuple(Path(os.path.realpath(root)) for root in self.readable)

    def path(self, said: str) -> Path:
        """Give the true place of a photo or a folder of photos.

        Raises ToolRefusedError path_refused, in the same words whether anything lies there or
        not, for what is outside.
        """
        real = Path(os.path.realpath(self.absolute(said)))
        if not any(real.is_relative_to(root) for root in self.real):
            raise self._outside(said)
        _refuse_unreadable(real)
        return real

    def folder(self, said: str) -> tuple[Path, Where]:
        """Give the true place of a job's folder, and where that is. Raises as `path` does."""
        asked = self.absolute(said)
        real = Path(os.path.realpath(asked))
        inbox = Path(os.path.realpath(self.inbox))
        if real.parent == inbox and real.name[:1] not in "_.":
            return self.inbox / real.name, "inbox"
        for name in ("_running", "_done", "_failed"):
            if real.parent == inbox / name and not real.name.startswith("."):
                return self.inbox / name / real.name, name
        if not any(real.is_relative_to(root) for root in self.real):
            raise self._outside(said)
        _refuse_unreadable(real)
        return real, "elsewhere"

    def absolute(self, said: str) -> Path:
        """Give what a path says, without looking. Raises ToolRefusedError path_refused."""
        path = said
        if said.startswith("file:"):
            parts = urlsplit(said)
            path = unquote(parts.path) if parts.netloc in {"", "localhost"} else ""
        if not path.startswith("/") or "\0" in path:
            raise ToolRefusedError(
                "path_refused",
                f"{line(said)!r} is no absolute path on the daemon's machine (no relative path, ~, "
                f"http or data address). Put the photos into {self.photos}, folders.photos of "
                "get_status, and name them by that path.",
            )
        return Path(path)

    def _outside(self, said: str) -> ToolRefusedError:
        return ToolRefusedError(
            "path_refused",
            f"{line(said)!r} does not lie where tools may read. Put the photos into {self.photos}, "
            "folders.photos of get_status, or ask the operator to add their folder to "
            "ALLOWED_ROOTS.",
        )


def _refuse_unreadable(real: Path) -> None:
    if not os.path.lexists(real):  # also where the name is too long to look
        return
    needed = os.R_OK | (os.X_OK if real.is_dir() else 0)
    if not os.access(real, needed):
        raise ToolRefusedError(
            "path_refused",
            f"The daemon's user {_user()} has no right to read {line(real)!r}. Give it that right, "
            "or copy the photos to folders.photos of get_status.",
        )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def resolved(roots: Roots, said: str | Sequence[str]) -> tuple[str, ...]:
    """Give the true places of photos, or of one folder, as a job names them."""
    names = (said,) if isinstance(said, str) else tuple(said)
    return tuple(name if name == SPOILT else str(roots.path(name)) for name in names)
