"""Entries <-> the lines of a journal. Pure.

A line is `{"seq", "at", "event", ..., "crc"}`; crc is the CRC-32 of the bytes before `,"crc"`.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_CRC = b',"crc":"'
_END = b'"}'
_OWN_KEYS = ("seq", "at", "event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a journal.

    `seq` grows by one with every line of a session, over all its files. `at` is RFC 3339 with
    offset. `fields` are JSON values.
    """

    seq: int
    at: str
    event: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that was skipped: its number in the file from 1, and what is wrong with it."""

    line: int
    why: str


class BadLineError(ValueError):
    """A line is not what was once written."""


def encode(entry: Entry) -> bytes:
    """Give the line of an entry, with its newline.

    Raises ValueError or TypeError if a field is no JSON value (NaN is none), or has the name of
    a key that every line has.
    """
    clash = sorted({*_OWN_KEYS, "crc"} & entry.fields.keys())
    if clash:
        raise ValueError(f"A field of {entry.event} cannot be called {clash[0]}.")
    whole = {"seq": entry.seq, "at": entry.at, "event": entry.event, **entry.fields}
    try:
        body = _json(whole, ascii_only=False).encode("utf-8")[:-1]
    except UnicodeEncodeError:
        # A file name that is no UTF-8 reaches us as lone surrogates; JSON can spell those.
        body = _json(whole, ascii_only=True).encode("ascii")[:-1]
    return body + _CRC + _crc(body) + _END + b"\n"


def decode(line: bytes) -> Entry:
    """Give the entry of a line, with or without its newline; raises BadLineError."""
    line = line.rstrip(b"\r\n")
    body, mark, tail = line.rpartition(_CRC)
    if not mark:
        raise BadLineError("it has no crc")
    if tail != _crc(body) + _END:
        raise BadLineError("its crc does not match")
    try:
        whole = json.loads(body + b"}")
        seq, at, event = (whole.pop(key) for key in _OWN_KEYS)
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise BadLineError("it is not an entry") from error
    if not (isinstance(seq, int) and isinstance(at, str) and isinstance(event, str)):
        raise BadLineError("it is not an entry")
    return Entry(seq=seq, at=at, event=event, fields=whole)


def read_journal(lines: Iterable[bytes], take: Callable[[Entry], None]) -> tuple[BadLine, ...]:
    """Hand every good line of one journal file to `take`, in order; give the bad ones.

    A bad last line is what a crash leaves and is dropped without a word. One line at a time is
    held, so `lines` may be an open file of any size.
    """
    bad: list[BadLine] = []
    last = 0
    for number, line in enumerate(lines, start=1):
        last = number
        try:
            entry = decode(line)
        except BadLineError as error:
            bad.append(BadLine(line=number, why=str(error)))
        else:
            take(entry)
    if bad and bad[-1].line == last:
        bad.pop()
    return tuple(bad)


def _json(value: Mapping[str, Any], *, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False)


def _crc(body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body)
