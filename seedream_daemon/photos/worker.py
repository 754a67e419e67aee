"""`python -m seedream_daemon.photos.worker`: prepares photos in a process of its own.

A photo from anybody may make a C library crash, hang or eat memory. Here that ends one process
with bounded memory, which `workers.py` replaces. One JSON document a line, in both directions: the
first line in says how to crop, the first line out that the worker is ready; then each line in asks
for one thing and gets one line. The end of the input is the end of the worker.
"""

import errno
import functools
import json
import os
import resource
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from seedream_daemon.errors import ConfigError

if TYPE_CHECKING:
    from seedream_daemon.photos.croppers import Cropper

Answer = dict[str, Any]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def main() -> None:
    """Answer requests until the input ends."""
    answers = _own_output()
    settings = json.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_AS, (settings["memory_bytes"],) * 2)
    # A core dump would hold a stranger's photo and take long to write.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    paths = [Path(settings[key]) if settings[key] else None for key in ("cropper", "face_model")]
    get_cropper = functools.cache(functools.partial(_load_cropper, *paths))
    try:
        if any(paths):
            get_cropper()  # so that a mistake in the settings shows at the start
    except ConfigError as error:
        _tell(answers, {"config_problem": error.message})
        return
    _tell(answers, {"ready": True})
    for line in sys.stdin.buffer:
        _tell(answers, _answer(json.loads(line), get_cropper))


def _own_output() -> BinaryIO:
    """Keep standard output for answers: what libraries and custom croppers print goes elsewhere."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _load_cropper(cropper: Path | None, face_model: Path | None) -> "Cropper":
    from seedream_daemon.photos.croppers import load_cropper  # noqa: PLC0415 - under the limit

    return load_cropper(cropper, face_model)


def _answer(request: dict[str, Any], get_cropper: Callable[[], "Cropper"]) -> Answer:
    # Loaded here, and not above, so that the memory limit holds for the libraries as well.
    from seedream_daemon.photos.decode import PhotoDamagedError  # noqa: PLC0415

    try:
        return _done(request, get_cropper)
    except PhotoDamagedError as error:
        return {"problem": str(error)}
    except MemoryError:
        return {"problem": "needs more memory than a photo is given; save it smaller"}
    except OSError as error:
        if error.errno in _NO_ROOM:
            return {"no_room": error.errno}
        return {"problem": f"cannot be read or its copy written: {error.strerror or error}"}
    except Exception as error:  # noqa: BLE001 - one photo must not end the others
        return {"problem": f"cannot be prepared ({type(error).__name__}: {error})"}


def _done(request: dict[str, Any], get_cropper: Callable[[], "Cropper"]) -> Answer:
    if request["do"] in _VIEWS:
        return {"done": _VIEWS[request["do"]](request["asked"])}
    from seedream_daemon.photos import prepare, sheet  # noqa: PLC0415 - under the limit
    from seedream_daemon.photos.steps import PrepareRequest, SheetRow  # noqa: PLC0415

    asked = request["asked"]
    if request["do"] == "row":
        sheet.write_row(SheetRow.from_json(asked))
        return {"done": True}
    if request["do"] == "join":
        sheet.join([Path(row) for row in asked["rows"]], Path(asked["to"]))
        return {"done": True}
    wanted = PrepareRequest.from_json(asked)
    return {"done": prepare.prepare(wanted, get_cropper).to_json()}


def _view(asked: Answer) -> tuple[int, ...]:
    from seedream_daemon.photos.view import write_view  # noqa: PLC0415 - under the limit

    picture, to = Path(asked["picture"]), Path(asked["to"])
    return write_view(picture, to, max_side=asked["max_side"], max_bytes=asked["max_bytes"])


def _tiles(asked: Answer) -> tuple[bool, ...]:
    from seedream_daemon.photos.steps import Tile  # noqa: PLC0415 - under the limit
    from seedream_daemon.photos.view import write_tiles  # noqa: PLC0415 - under the limit

    return write_tiles([Tile.from_json(tile) for tile in asked["tiles"]])


def _mosaic(asked: Answer) -> tuple[int, int]:
    from seedream_daemon.photos.view import write_mosaic  # noqa: PLC0415 - under the limit

    width, height = asked["cell"]
    return write_mosaic(
        [(Path(path) if path else None, label) for path, label in asked["tiles"]],
        Path(asked["to"]),
        columns=asked["columns"],
        cell=(width, height),
        max_bytes=asked["max_bytes"],
    )


_VIEWS: dict[str, Callable[[Answer], tuple[int, ...]]] = {
    "view": _view,
    "tiles": _tiles,
    "mosaic": _mosaic,
}


def _tell(answers: BinaryIO, answer: Answer) -> None:
    answers.write(json.dumps(answer).encode("ascii") + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
