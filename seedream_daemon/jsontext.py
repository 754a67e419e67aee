"""Values -> JSON in UTF-8, whatever the names in them are."""

import json
from typing import Any


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    """Spell a value; raises TypeError if JSON has no word for it.

    A file name that is no UTF-8 reaches us as lone surrogates. In JSON they stand only within
    texts, where their escapes may stand too, and are read back as they were.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return text.encode("utf-8", "backslashreplace")
