"""Text that this machine can draw: a font is looked for, and what it lacks is spelt otherwise."""

import itertools
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
# The first that is found wins: those that know Korean stand in front.
_BEGINNINGS = (
    "notosanscjk-regular",
    "notosanskr-regular",
    "notosanscjkkr-regular",
    "nanumgothic.",
    "nanumbarungothic.",
    "malgun.",
    "applesdgothicneo",
    "undotum.",
    "droidsansfallback",
    "dejavusans.",
    "liberationsans-regular",
)
_NO_CHARACTER = "\U0010fffe"

# Revised Romanisation, syllable by syllable; "." is silence.
_INITIALS = tuple("g kk n d tt r m b pp s ss . j jj ch k t p h".split(" "))  # noqa: SIM905
_VOWELS = tuple("a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split(" "))  # noqa: SIM905
_FINALS = tuple(". k k k n n n t l k m l l l p l m p p t t ng t t k t p t".split(" "))  # noqa: SIM905


@lru_cache(maxsize=64)
def font_of(size_px: int) -> Font:
    """Give the best font of this machine; Pillow's own where none is found."""
    path = _font_file()
    return ImageFont.load_default(size_px) if path is None else ImageFont.truetype(path, size_px)


def legible(text: str) -> str:
    """Spell a text so that it can be drawn.

    Korean without a Korean font is written in Latin letters; other characters that the font lacks
    are counted.
    """
    font = font_of(20)
    spelt = "".join(_spell(character, font) for character in text)
    runs = itertools.groupby(spelt, key=lambda character: _draws(font, character))
    return "".join(
        "".join(run) if is_drawn else f"[{len(list(run))} without a font]" for is_drawn, run in runs
    )


def wrap(text: str, font: Font, *, width_px: int, lines: int) -> list[str]:
    """Break a text into at most so many lines of at most this width; the rest becomes `...`."""
    wrapped = [""]
    for word in _words(text, font, width_px):
        longer = f"{wrapped[-1]} {word}".strip()
        if font.getlength(longer) <= width_px:
            wrapped[-1] = longer
        elif len(wrapped) == lines:
            wrapped[-1] += " ..."
            break
        else:
            wrapped.append(word)
    return wrapped


def _words(text: str, font: Font, width_px: int) -> Iterator[str]:
    """Split at spaces, and inside words that are wider than a line."""
    for word in text.split():
        rest = word
        while font.getlength(rest) > width_px and len(rest) > 1:
            fits = max(1, int(len(rest) * width_px / font.getlength(rest)))
            yield rest[:fits]
            rest = rest[fits:]
        yield rest


@lru_cache(maxsize=1)
def _font_file() -> Path | None:
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        for place, _, names in os.walk(Path(folder).expanduser()):
            for name in names:
                if name.lower().endswith((".ttf", ".otf", ".ttc")):
                    found.setdefault(name.lower(), Path(place) / name)
    for beginning in _BEGINNINGS:
        for name in sorted(found):
            if name.startswith(beginning):
                return found[name]
    return None


@lru_cache(maxsize=4096)
def _draws(font: Font, character: str) -> bool:
    if character.isspace():
        return True
    return bytes(font.getmask(character)) != bytes(font.getmask(_NO_CHARACTER))


def _spell(character: str, font: Font) -> str:
    syllable = ord(character) - 0xAC00
    if not 0 <= syllable < 11_172 or _draws(font, character):
        return character
    initial, rest = divmod(syllable, 588)
    vowel, final = divmod(rest, 28)
    return f"{_INITIALS[initial]}{_VOWELS[vowel]}{_FINALS[final]}".replace(".", "")
