"""The arguments of each tool: one type, from which come the reader and the schema.

The keys of a job are those of job.toml, so that both doors take the same words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from seedream_daemon.job.mistakes import shown
from seedream_daemon.job.names import nearest
from seedream_daemon.job.plan import Kind
from seedream_daemon.job.schema import Says
from seedream_daemon.tools.refusal import ToolRefusedError

MOST_WAIT_S = 45
STATES = ("waiting", "running", "paused", "done", "failed", "cancelled")

_Id = Annotated[str, StringConstraints(min_length=1, max_length=300), Says(allowed="a text")]
_Wait = Annotated[
    int,
    Field(ge=0, le=MOST_WAIT_S),
    Says(allowed=f"a whole number of seconds from 0 to {MOST_WAIT_S}; ask again with get_job"),
]
_Limit = Annotated[int, Field(ge=1, le=100), Says(allowed="a whole number from 1 to 100")]
_Key = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Says(allowed="1 to 64 printable characters"),
]
_Cursor = Annotated[str, StringConstraints(max_length=2000), Says(allowed="a next_cursor")]
_Usd = Annotated[
    float,
    Field(ge=0, allow_inf_nan=False),
    Says(allowed="an amount in US dollars, price_usd as it was told"),
]
_Path = Annotated[
    str, StringConstraints(min_length=1, max_length=4096), Says(allowed="an absolute path")
]


class Arguments(BaseModel):
    """What a tool takes beside the keys of a job."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class Nothing(Arguments):
    """No arguments."""


class _Spending(Arguments):
    request_key: _Key | None = None
    confirm_usd: _Usd | None = Field(None, description="price_usd, once the user agreed to it.")


class MakeArguments(_Spending):
    """generate_image and edit_image."""

    wait_seconds: _Wait = MOST_WAIT_S


class CheckArguments(Arguments):
    """check_job."""

    folder: _Path | None = Field(None, description="A folder that holds a job.toml.")
    spec: Annotated[Any, Says(allowed="an object with the keys of a job")] = Field(
        None, description="The job itself, as in submit_job."
    )


class SubmitArguments(_Spending):
    """submit_job."""

    request_key: _Key | None = Field(
        None, description="Your own id of this wish: the same key gives the same job again."
    )
    folder: _Path | None = Field(None, description="A folder that holds a job.toml.")
    spec: Annotated[Any, Says(allowed="an object with the keys of a job")] = Field(
        None, description="The job itself; photos are absolute paths."
    )
    wait_seconds: _Wait = 0


class GetArguments(Arguments):
    """get_job."""

    job_id: _Id
    wait_seconds: _Wait = Field(0, description="Wait so long for the job to end.")


class CancelArguments(Arguments):
    """cancel_job."""

    job_id: _Id


class RetryArguments(_Spending):
    """retry_job."""

    job_id: _Id
    shot: Annotated[str, StringConstraints(max_length=4096), Says(allowed="a text")] | None = Field(
        None, description="Only this shot; needed where it was refused for its content."
    )
    wait_seconds: _Wait = 0


class ListJobsArguments(Arguments):
    """list_jobs."""

    state: (
        Annotated[
            Literal["waiting", "running", "paused", "done", "failed", "cancelled"],
            Says(allowed=f"one of {', '.join(STATES)}"),
        ]
        | None
    ) = None
    limit: _Limit = 20
    cursor: _Cursor | None = None


class ListSessionsArguments(Arguments):
    """list_sessions."""

    kind: Annotated[Kind, Says(allowed="one of t2i, i2i, bulk, grid")] | None = None
    limit: _Limit = 20
    cursor: _Cursor | None = None


class LoadArguments(Arguments):
    """load_session."""

    session: _Id
    limit: _Limit = 50
    cursor: _Cursor | None = None


class ViewArguments(Arguments):
    """view_image."""

    session: _Id | None = None
    job_id: _Id | None = None
    key: _Id | None = Field(
        None,
        description="As load_session lists them; in a grid 2_3 is a cell, 2_* a row, *_3 a "
        "column. Absent: the whole sheet.",
    )
    max_side: Annotated[
        int, Field(ge=64, le=1568), Says(allowed="a whole number of pixels from 64 to 1568")
    ] = 768


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a tool takes: its own arguments, and keys of a job beside them.

    The job keys in `required` must be given.
    """

    own: type[Arguments]
    job_keys: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


_SIMPLE_KEYS = ("prompt", "aspect", "preset", "size", "count", "model")

SHAPES: Mapping[str, Shape] = {
    "generate_image": Shape(own=MakeArguments, job_keys=_SIMPLE_KEYS, required=("prompt",)),
    "edit_image": Shape(
        own=MakeArguments,
        job_keys=("prompt", "photos", *_SIMPLE_KEYS[1:]),
        required=("prompt", "photos"),
    ),
    "check_job": Shape(own=CheckArguments),
    "submit_job": Shape(own=SubmitArguments),
    "get_job": Shape(own=GetArguments),
    "cancel_job": Shape(own=CancelArguments),
    "retry_job": Shape(own=RetryArguments),
    "list_jobs": Shape(own=ListJobsArguments),
    "list_sessions": Shape(own=ListSessionsArguments),
    "load_session": Shape(own=LoadArguments),
    "view_image": Shape(own=ViewArguments),
    "get_status": Shape(own=Nothing),
}


def parse(tool: str, arguments: Mapping[str, Any]) -> tuple[Arguments, dict[str, Any]]:
    """Read a tool's arguments: its own ones, and the keys of a job, which are looked at later.

    null is absent, and 30.0 is 30. Raises ToolRefusedError bad_argument, naming the nearest.
    """
    shape = SHAPES[tool]
    given = {str(name): _whole(value) for name, value in arguments.items() if value is not None}
    known = (*shape.job_keys, *shape.own.model_fields)
    for name in given:
        if name not in known:
            raise _refused(_unknown(tool, name, known))
    missing = [name for name in shape.required if name not in given]
    if missing:
        raise _refused(f"{tool} needs {' and '.join(missing)}.")
    try:
        own = shape.own.model_validate(
            {name: value for name, value in given.items() if name not in shape.job_keys}
        )
    except ValidationError as error:
        raise _refused(" ".join(_mistakes(shape.own, error, given))) from None
    key = getattr(own, "request_key", None)
    if key is not None and not key.isprintable():
        raise _refused("request_key must be 1 to 64 printable characters.")
    return own, {name: given[name] for name in shape.job_keys if name in given}


def one_of(tool: str, **choices: object) -> str:
    """Say which of two arguments was given. Raises ToolRefusedError unless it is exactly one."""
    given = [name for name, value in choices.items() if value is not None]
    if len(given) == 1:
        return given[0]
    how = "not both" if given else "none was given"
    raise _refused(f"{tool} takes {' or '.join(choices)}, {how}.")


def unpacked(value: object) -> object:
    """Give what a text that holds a JSON object or list stands for; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unknown(tool: str, name: str, known: tuple[str, ...]) -> str:
    if not known:
        return f"{tool} takes no arguments."
    near = nearest(name, known)
    hint = f"Did you mean {near}?" if near else f"It takes {', '.join(known)}."
    return f"{tool} has no argument {shown(name)}. {hint}"


def _mistakes(own: type[Arguments], error: ValidationError, given: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
    return [
        f"{name} must be {_allowed(own, name)}, not {shown(given[name])}."
        if name in given
        else f"{name} is missing: it must be {_allowed(own, name)}."
        for name in names
    ]


def _allowed(own: type[Arguments], name: str) -> str:
    field = own.model_fields[name]
    notes = [*field.metadata, *_notes_in(field.annotation)]
    return next((note.allowed for note in notes if isinstance(note, Says)), "of another type")


def _notes_in(annotation: Any) -> list[object]:
    """Give the notes on the members of a union, where pydantic leaves them."""
    inside = getattr(annotation, "__args__", ())
    return [note for member in inside for note in getattr(member, "__metadata__", ())]


def _refused(message: str) -> ToolRefusedError:
    return ToolRefusedError("bad_argument", message)
