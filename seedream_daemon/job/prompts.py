"""Prompts with variables: "{who} in {place}", and what stands for each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from seedream_daemon.job.names import nfc

_NAME = re.compile(r"[^\W\d]\w*")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


class TemplateError(ValueError):
    """A template that cannot be read; its text says where, counting characters from 1."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A place for a value; the name is NFC."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt cut into texts and variables."""

    pieces: tuple[str | Variable, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Give the names that need a value, each once, in order of appearance."""
        names = (piece.name for piece in self.pieces if isinstance(piece, Variable))
        return tuple(dict.fromkeys(names))

    def fill(self, values: Mapping[str, str]) -> str:
        """Give the prompt. Raises KeyError for a variable without a value."""
        return "".join(
            values[piece.name] if isinstance(piece, Variable) else piece for piece in self.pieces
        )


def is_variable_name(name: str) -> bool:
    """Say whether this can stand between braces."""
    return _NAME.fullmatch(nfc(name)) is not None


def parse_template(text: str) -> Template:
    """Cut a prompt at its variables; `{{` and `}}` are braces. Raises TemplateError."""
    return Template(tuple(_piece(match) for match in _PIECE.finditer(text)))


def _piece(match: re.Match[str]) -> str | Variable:
    text, place = match.group(), match.start() + 1
    if text in {"{{", "}}"}:
        return text[0]
    if text == "{":
        raise TemplateError(
            f'the "{{" at character {place} is never closed; write "{{{{" for a brace itself'
        )
    if text == "}":
        raise TemplateError(
            f'the "}}" at character {place} closes nothing; write "}}}}" for a brace itself'
        )
    name = match.group(1)
    if name is None:
        return text
    if not is_variable_name(name):
        raise TemplateError(
            f'"{text}" at character {place} is no variable: a name is letters, digits and "_", '
            "and no digit comes first"
        )
    return Variable(nfc(name))
