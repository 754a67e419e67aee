"""job.toml -> JobSpec, or every mistake in it at once."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from seedream_daemon.errors import JobInvalidError, Problem
from seedream_daemon.job.draft import Draft, meant, mended
from seedream_daemon.job.mistakes import Findings, Path, path_text, shown
from seedream_daemon.job.names import nearest
from seedream_daemon.job.plan import Kind
from seedream_daemon.job.prompts import TemplateError, parse_template
from seedream_daemon.job.schema import KEYS, KINDS, MAX_PROMPTS, JobSpec, keys_of, says

MAX_BYTES = 256 * 1024
_BOM = b"\xef\xbb\xbf"
_AT_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")
_SAVE_AS = "Save it as UTF-8 (Notepad: Save as, Encoding: UTF-8)."
_HINTS = (
    ("Cannot overwrite", "; a key stands twice"),
    ("Invalid value", "; texts stand in straight quotes"),
    ("Invalid statement", "; names in other letters than a-z stand in quotes"),
    ("Invalid initial character", "; names in other letters than a-z stand in quotes"),
    (
        "Expected '=' after a key",
        "; an entry is name = value, and names with spaces stand in quotes",
    ),
    ("Expected ']' at the end of a table", "; names with spaces stand in quotes"),
    ("Expected newline or end", '; a quote within a text is written \\"'),
    ("Unterminated string", "; a text that begins with three quotes ends with three"),
    ("Unclosed array", "; items of a list stand apart by commas, and ] ends it"),
    ("Illegal character '\\n'", "; a text on this line lacks its closing quote"),
    ("Unescaped '\\'", "; write folders with / instead"),
)

# What the service can be asked and no job can choose.
_SETTLED = {
    "watermark": "the watermark is always off",
    "stream": "streaming is used by itself where the model has it",
    "response_format": "pictures always come by URL and are saved as files",
}


def read_job(data: bytes, *, file: str = "job.toml") -> JobSpec:
    """Read a job.toml. Raises JobInvalidError with every mistake of its keys and their values."""
    return _faultless(draft_job(data, file=file))


def spec_from_json(obj: object, *, file: str = "job") -> JobSpec:
    """Read a job that a program sent. Raises JobInvalidError as `read_job` does."""
    return _faultless(draft_from_json(obj, file=file))


def draft_job(data: bytes, *, file: str = "job.toml") -> Draft:
    """Read a job.toml with its mistakes, each with its line, for a plan to tell the others.

    Raises JobInvalidError for a file that is not TOML.
    """
    text = _text_of(data, file)
    return _checked(_table_of(text, file), text.encode("utf-8"), file)


def draft_from_json(obj: object, *, file: str = "job") -> Draft:
    """Read a job that a program sent: the same keys, null for absent, 30.0 for 30.

    Lists of photos, or the whole, may come as a text that holds JSON. Raises JobInvalidError for
    what is no object.
    """
    job = _unpacked(obj)
    if not isinstance(job, Mapping):
        raise JobInvalidError((Problem(file=file, message="a job is an object with keys"),))
    return _checked(
        {str(key): _plain(value) for key, value in job.items() if value is not None}, b"", file
    )


def _faultless(draft: Draft) -> JobSpec:
    if draft.problems or draft.spec is None:
        raise JobInvalidError(draft.problems)
    return draft.spec


def _text_of(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise _refused(file, f"is {len(data):,} bytes long; at most {MAX_BYTES:,} are read")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise _refused(file, f"is saved as UTF-16. {_SAVE_AS}")
    try:
        return data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        try:
            data.decode("cp949")
        except UnicodeDecodeError:
            raise _refused(file, f"is not UTF-8. {_SAVE_AS}", line) from error
        raise _refused(file, f"is not UTF-8 but looks like cp949. {_SAVE_AS}", line) from error


def _refused(file: str, what: str, line: int | None = None) -> JobInvalidError:
    return JobInvalidError((Problem(file=file, message=f"the file {what}", line=line),))


def _table_of(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise _refused(file, "is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and what a number of 5,000 digits raises
        place = _AT_LINE.search(str(error))
        reason = _AT_LINE.sub("", str(error)).removesuffix("(at end of document)").strip()
        column = f" at column {place[2]}" if place else ""
        line = int(place[1]) if place else None
        hint = next((hint for start, hint in _HINTS if reason.startswith(start)), "")
        if reason.startswith("Exceeds the limit"):
            reason = "a number has too many digits"
        raise _refused(file, f"is not TOML: {reason}{column}{hint}", line) from error


def _unpacked(value: object) -> object:
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _plain(value: object) -> object:
    unpacked = _unpacked(value) if isinstance(value, str) and value.lstrip()[:1] == "[" else value
    if isinstance(unpacked, float) and unpacked.is_integer():
        return int(unpacked)
    return unpacked


def _checked(data: Mapping[str, Any], source: bytes, file: str) -> Draft:
    found = [*_kind_mistakes(data), *_prompt_mistakes(data)]
    try:
        spec = JobSpec.model_validate(data)
    except ValidationError as error:
        found = [*_shape_mistakes(error, data), *found]
    else:
        if not found:
            return Draft(spec=spec.read_from(source))
    findings = Findings(source, file=file)
    for path, message, value, allowed in found:
        findings.add(path, message, found=value, allowed=allowed)
    return mended(
        data,
        kind=_kind_of(data),
        places=[path for path, *_ in found],
        problems=findings.refusal().problems,
        source=source,
    )


_Mistake = tuple[Path, str, object, str | None]


def _shape_mistakes(error: ValidationError, data: Mapping[str, Any]) -> list[_Mistake]:
    # What is missing has no place and is told by kind.
    every = (_path_in(data, each["loc"]) for each in error.errors())
    paths = list(dict.fromkeys(path for path in every if path))
    return [
        _shape_mistake(path, data)
        for path in paths
        # Of a union's complaints the one that goes deepest is meant.
        if not any(other != path and other[: len(path)] == path for other in paths)
    ]


def _path_in(data: object, loc: Path) -> Path:
    """Leave out of a place the names that pydantic gives to the members of a union."""
    path: list[str | int] = []
    here = data
    for step in loc:
        children = _children(here)
        if step in children:
            here = children[step]
            path.append(step)
    return tuple(path)


def _children(value: object) -> Mapping[str | int, object]:
    if isinstance(value, Mapping):
        return value
    return dict(enumerate(value)) if isinstance(value, list) else {}


def _shape_mistake(path: Path, data: Mapping[str, Any]) -> _Mistake:
    key = str(path[0])
    if key not in KEYS:
        return _unknown_key(key, data)
    value: Any = data
    for step in path:
        value = value[step]
    told = says(key)
    allowed = told.allowed if len(path) == 1 or told.each is None else told.each
    if key == "groups" and len(path) > 2:
        allowed = "the name of a photo"
    near = (
        nearest(value, allowed.removeprefix("one of ").split(", "))
        if (isinstance(value, str) and allowed.startswith("one of "))
        else None
    )
    hint = f'; did you mean "{near}"?' if near else ""
    if key == "prompts" and isinstance(value, list) and len(path) == 1:
        if len(value) > MAX_PROMPTS:
            return _too_many_prompts(value)
        return path, f"prompts must be {allowed}, not {len(value)}", value, allowed
    return path, f"{path_text(path)} must be {allowed}, not {shown(value)}{hint}", value, allowed


def _too_many_prompts(prompts: list[Any]) -> _Mistake:
    message = (
        f"a grid takes at most {MAX_PROMPTS} prompts; there are {len(prompts)}: "
        f"{', '.join(map(shown, prompts))}; take some away, or move them into a second job"
    )
    return ("prompts",), message, len(prompts), f"at most {MAX_PROMPTS}"


def _unknown_key(key: str, data: Mapping[str, Any]) -> _Mistake:
    if key in _SETTLED:
        message = f'there is no key "{key}": {_SETTLED[key]}; take the entry away'
        return (key,), message, data[key], "nothing: take the entry away"
    known = keys_of(_kind_of(data))
    near = nearest(key, known)
    hint = f'; did you mean "{near}"?' if near else f"; the keys are {', '.join(known)}"
    return (key,), f'there is no key "{key}"{hint}', key, ", ".join(known)


def _kind_of(data: Mapping[str, Any]) -> Kind | None:
    return next((kind for kind in KINDS if kind == data.get("kind")), None)


def _kind_mistakes(data: Mapping[str, Any]) -> Iterator[_Mistake]:
    kind = _kind_of(data)
    if "kind" not in data and "kind" not in meant(data, None):
        allowed = says("kind").allowed
        yield (), f"kind is missing{_misplaced('kind', data)}: it must be {allowed}", None, allowed
    if kind is None:
        return
    for key in data:
        if key in KEYS and kind not in says(key).kinds:
            fitting = ", ".join(says(key).kinds)
            yield (key,), f"{key} is for {fitting}; this job is {kind}", None, fitting
    misspelt = meant(data, kind)
    for key in keys_of(kind):
        if says(key).required and key not in data and key not in misspelt:
            yield (
                (),
                f"{key} is missing{_misplaced(key, data)}: a {kind} job needs {says(key).allowed}",
                None,
                says(key).allowed,
            )
    tables = data.get("variables")
    if kind != "grid" and isinstance(tables, Mapping):
        for name, value in tables.items():
            if isinstance(value, Mapping):
                yield (
                    ("variables", name),
                    f"variables.{name} is a table; tables for groups are for grid",
                    None,
                    "a text or a number",
                )


def _misplaced(key: str, data: Mapping[str, Any]) -> str:
    """Tell the commonest slip of TOML: a key below a table's header belongs to the table."""
    for header, table in data.items():
        if isinstance(table, Mapping) and key in table:
            return f" (it stands below [{header}]; move it above)"
    return ""


def _prompt_mistakes(data: Mapping[str, Any]) -> Iterator[_Mistake]:
    prompts = data.get("prompts")
    places: list[tuple[Path, object]] = [(("prompt",), data.get("prompt"))]
    if isinstance(prompts, list):
        places += [(("prompts", place), prompt) for place, prompt in enumerate(prompts)]
    for path, prompt in places:
        if isinstance(prompt, str):
            try:
                parse_template(prompt)
            except TemplateError as error:
                yield path, f"in {path_text(path)}, {error}", prompt, None
