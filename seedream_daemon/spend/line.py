"""Fields <-> one line of the ledger, with a check sum that tells a torn line from a whole one."""

import json
from collections.abc import Mapping
from typing import Any
from zlib import crc32

_MARK = b',"crc":"'


def encode(fields: Mapping[str, Any]) -> bytes:
    """Give the line for `fields`, with its check sum and its line end.

    `crc` is the CRC-32, in 8 hex digits, of the line's bytes before `,"crc"`.
    """
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()[:-1]
    return body + _MARK + f'{crc32(body):08x}"}}\n'.encode()


def decode(line: bytes) -> dict[str, Any] | None:
    """Give the fields of a line (without its line end), None if it is torn or was altered."""
    body, mark, tail = line.rpartition(_MARK)
    if not mark or tail != f'{crc32(body):08x}"}}'.encode():
        return None
    try:
        fields = json.loads(body + b"}")
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
