"""Values for the prompts of each group, with every one missing or left over noted."""

import json
import re
from collections.abc import Collection, Mapping, Sequence

from seedream_daemon.job.mistakes import Findings, path_text
from seedream_daemon.job.mistakes import Path as Place
from seedream_daemon.job.names import nearest, nfc
from seedream_daemon.job.prompts import Template, parse_template
from seedream_daemon.job.schema import JobSpec

Values = Mapping[str, str]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def templates_of(spec: JobSpec) -> tuple[tuple[Place, Template], ...]:
    """Give the prompts, cut at their variables, each with its place in job.toml."""
    if spec.prompts is not None:
        return tuple(
            (("prompts", number), parse_template(prompt))
            for number, prompt in enumerate(spec.prompts)
        )
    return ((("prompt",), parse_template(spec.prompt or "")),)


def values_for_all(spec: JobSpec) -> dict[str, str]:
    """Give the values that hold for every group, by NFC name."""
    return {
        nfc(name): str(value)
        for name, value in spec.variables.items()
        if not isinstance(value, dict)
    }


def values_of(spec: JobSpec, group: str) -> dict[str, str]:
    """Give a group's values: those for all, overridden by its own."""
    values = values_for_all(spec)
    for name, table in spec.variables.items():
        if nfc(name) == group and isinstance(table, dict):
            values.update({nfc(key): str(value) for key, value in table.items()})
    return values


def check_values(
    spec: JobSpec, groups: Sequence[str], findings: Findings, doubtful: Collection[str] = ()
) -> None:
    """Note variables without value, values without variable, and entries for no group.

    What keys in `doubtful` would have to say is not missed, nor is any group where none is known.
    """
    templates = templates_of(spec)
    if groups or (spec.kind != "grid" and "kind" not in doubtful):
        _check_groups(spec, groups, findings)
    if not {"prompt", "prompts"}.intersection(doubtful):
        _check_unused(spec, templates, findings)
    if {"variables", "kind"}.intersection(doubtful):
        return
    if spec.kind == "grid":
        for group in groups:
            table = f"[variables.{_key(group)}]"
            _check_missing(f"group {group}", table, values_of(spec, group), templates, findings)
    else:
        _check_missing("[variables]", "[variables]", values_for_all(spec), templates, findings)


def _check_groups(spec: JobSpec, groups: Sequence[str], findings: Findings) -> None:
    tables = [name for name, value in spec.variables.items() if isinstance(value, dict)]
    places = [("variables", name) for name in tables] + [("labels", name) for name in spec.labels]
    for key, name in places:
        if nfc(name) in groups:
            continue
        near = nearest(name, groups)
        hint = f'; did you mean "{near}"?' if near else f"; the groups are {', '.join(groups)}"
        findings.add(
            (key, name),
            f'{key}.{name} is for a group "{name}", and there is none{hint if groups else ""}',
            found=name,
            allowed=", ".join(groups),
        )


def _check_unused(
    spec: JobSpec, templates: Sequence[tuple[Place, Template]], findings: Findings
) -> None:
    wanted = tuple(dict.fromkeys(name for _, each in templates for name in each.variables))
    places: list[Place] = []
    for name, value in spec.variables.items():
        if isinstance(value, dict):
            places += [("variables", name, key) for key in value]
        else:
            places.append(("variables", name))
    for place in places:
        name = str(place[-1])
        if nfc(name) in wanted:
            continue
        near = nearest(name, wanted)
        hint = f'did you mean "{near}"?' if near else f"take it away, or write {{{name}}} into one"
        findings.add(
            place,
            f"{path_text(place)} is used by no prompt; {hint}",
            found=name,
            allowed=", ".join(wanted) or None,
        )


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _check_missing(
    owner: str,
    table: str,
    values: Values,
    templates: Sequence[tuple[Place, Template]],
    findings: Findings,
) -> None:
    for place, template in templates:
        for name in template.variables:
            if name not in values:
                near = nearest(name, values)
                hint = (
                    f'did you mean "{near}"?' if near else f'put {_key(name)} = "..." under {table}'
                )
                findings.add(
                    place,
                    f"{owner} has no value for {{{name}}}, which {path_text(place)} needs; {hint}",
                    found=name,
                    allowed=", ".join(values) or None,
                )
