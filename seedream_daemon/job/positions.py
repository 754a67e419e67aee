"""The lines of a job.toml on which its entries stand; loaded only to word an error."""

import tomllib
from collections.abc import Iterator, Mapping

import tree_sitter
import tree_sitter_toml

Path = tuple[str | int, ...]


def line_of(source: bytes, path: Path) -> int | None:
    """Give the line, from 1, of an entry or of the nearest table around it.

    `source` is TOML that could be read; list items are numbered from 0 in `path`. None if
    nothing on the path is there.
    """
    lines = _lines(source)
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def _lines(source: bytes) -> Mapping[Path, int]:
    language = tree_sitter.Language(tree_sitter_toml.language())
    root = tree_sitter.Parser(language).parse(source).root_node
    lines: dict[Path, int] = {}
    for node in root.children:
        if node.type == "pair":
            _note_pair(node, (), lines)
        elif node.type in {"table", "table_array_element"}:
            _note_table(node, lines)
    return lines


def _note_table(node: tree_sitter.Node, lines: dict[Path, int]) -> None:
    header, *pairs = node.named_children
    path = _key_path(header)
    lines.setdefault(path, _line(node))
    for pair in pairs:
        if pair.type == "pair":
            _note_pair(pair, path, lines)


def _note_pair(node: tree_sitter.Node, above: Path, lines: dict[Path, int]) -> None:
    """Note a pair and what its value holds, without recursion: values nest as people like."""
    waiting: list[tuple[tree_sitter.Node, Path]] = [(node, above)]
    while waiting:
        current, path = waiting.pop()
        children = [child for child in current.named_children if child.type != "comment"]
        if current.type == "pair":
            key, *values = children
            path = (*path, *_key_path(key))
            lines.setdefault(path, _line(current))
            waiting.extend((value, path) for value in values)
        elif current.type == "inline_table":
            waiting.extend((child, path) for child in children)
        elif current.type == "array":
            for place, child in enumerate(children):
                lines.setdefault((*path, place), _line(child))
                waiting.append((child, (*path, place)))


def _key_path(node: tree_sitter.Node) -> Path:
    return tuple(_keys(node))


def _keys(node: tree_sitter.Node) -> Iterator[str]:
    if node.type == "dotted_key":
        for child in node.named_children:
            yield from _keys(child)
    else:
        text = (node.text or b"").decode("utf-8")
        # Quoted keys are texts with escapes, which the reader of TOML knows best.
        yield tomllib.loads(f"k = {text}")["k"] if text[:1] in {'"', "'"} else text


def _line(node: tree_sitter.Node) -> int:
    return int(node.start_point[0]) + 1
