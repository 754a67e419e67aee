"""Texts of strangers and sentences of ours, kept apart.

What a drop or the service says may be an instruction to whoever reads it. It is shown as the value
of its own field, and never within a sentence.
"""

import json
import re
import unicodedata
from collections.abc import Iterable

from seedream_daemon.ark.failures import advice
from seedream_daemon.job.mistakes import shown
from seedream_daemon.job.models import FAMILY_NAMES
from seedream_daemon.job.schema import KEYS, KINDS

MOST_NAME = 200
MOST_PROMPT = 4_000
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")
# Marks that turn the order of what is read around.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LEAST = 3  # shorter words say nothing, and stand in every sentence
_OURS = frozenset({*KEYS, *KINDS, *FAMILY_NAMES, "the", "job.toml", "photo", "photos", "groups"})

_MESSAGES = {
    "bad_photo": "A photo of this shot cannot be used, and nothing was sent. Look at the photo, or "
    "put another in its place.",
    "in_doubt": "The request was sent and no answer came; it may have been billed.",
    "lost": "The picture was made and paid for, and could not be fetched in time.",
    "result_host": "The picture lies on a host that is not allowed; it was paid for. If it is "
    "an https address of the open internet, the operator may add the host to RESULT_HOSTS.",
}


def clean(text: object, most: int = MOST_NAME) -> str:
    """Give a text without control and bidi characters, cut to `most` characters."""
    kept = "".join(
        letter
        for letter in str(text)
        if letter in "\n\t" or (unicodedata.category(letter) != "Cc" and letter not in _BIDI)
    )
    return kept.encode("utf-8", "replace").decode("utf-8")[:most]


def line(text: object, most: int = MOST_NAME) -> str:
    """Give a cleaned text on one line."""
    return " ".join(clean(text, 4 * most).split())[:most]


def code_of(code: object) -> str:
    """Give a code as told by the service, if it looks like one."""
    found = _CODE.fullmatch(str(code))
    return found.group() if found else "refused"


def message_of(code: str) -> str:
    """Give our own sentence for the code of a failure."""
    known = _MESSAGES.get(code) or advice(code)
    return known or "The image service refused this shot."


def was_refused_for_content(code: str) -> bool:
    """Whether asking for the very same again is for a person to decide."""
    return "Sensitive" in code or "RiskDetection" in code or "Moderation" in code


def without(message: str, foreign: Iterable[str]) -> str:
    """Give a sentence of ours without the texts of strangers that it quotes."""
    for text in sorted({text for text in foreign if _tells(text)}, key=len, reverse=True):
        for form in _forms(text):
            if form in message:
                message = message.replace(form, "…")
    return clean(message, 1_000)


def _tells(text: str) -> bool:
    return len(text) >= _LEAST and text not in _OURS and not text.isdigit()


def _forms(text: str) -> tuple[str, ...]:
    quoted = json.dumps(text, ensure_ascii=False)[1:-1]
    short = shown(text)
    return (quoted, text, short[1:-3] if short.endswith("...") else short[1:-1])
