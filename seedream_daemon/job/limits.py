"""What a job asks and its model lacks: noted before anything is sent."""

import re

from seedream_daemon.job.mistakes import Findings
from seedream_daemon.job.models import MAX_SET, Family
from seedream_daemon.job.plan import Asked
from seedream_daemon.job.schema import JobSpec
from seedream_daemon.job.sizes import Size, SizeError, parse_aspect, parse_size, resolve_size

_SEVERAL = re.compile(
    r"\b(?:several|multiple|many|series|sets?|sequence|storyboard|collection|variations?|variants?"
    r"|different|various|images|pictures|photos|shots|scenes|frames|panels|versions|poses|angles"
    r"|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|couple|each|1[0-5]|[2-9])\b"
    r"|여러|다양|시리즈|세트|연속|가지|[0-9두세네] ?(?:장|개|컷)|각각"
    r"|[多几两三四五六七八九十0-9][张幅个款组]|组图|一组|系列|套图|複数|[0-9]枚|セット|シリーズ",
    re.IGNORECASE,
)


def ask(spec: JobSpec, family: Family, findings: Findings) -> Asked:
    """Give the settings to send, or note those that the model does not have."""
    if spec.seed is not None and not family.seed:
        _lacks(findings, family, "seed", spec.seed)
    if spec.guidance_scale is not None and not family.guidance:
        _lacks(findings, family, "guidance_scale", spec.guidance_scale)
    if spec.count > 1 and not family.sets:
        findings.add(
            ("count",),
            f"count must be 1: {family.title} makes one picture per request",
            found=spec.count,
            allowed="1",
        )
    _choice(findings, family, "output_format", spec.output_format, family.output_formats)
    _choice(findings, family, "optimize_prompt", spec.optimize_prompt, family.optimize_modes)
    return Asked(
        count=spec.count,
        seed=spec.seed,
        guidance_scale=spec.guidance_scale,
        # A model with one format has no such field.
        output_format=spec.output_format if len(family.output_formats) > 1 else None,
        optimize_prompt=spec.optimize_prompt,
    )


def sized(spec: JobSpec, family: Family, findings: Findings) -> Size | None:
    """Give the size to send, or note why it cannot be had: each entry alone, then together."""
    said = {key: getattr(spec, key) for key in ("size", "aspect", "preset")}
    said = {key: value for key, value in said.items() if value is not None}
    try:
        return resolve_size(family, spec.kind, **said)
    except SizeError as error:
        for key, value in said.items():
            try:
                resolve_size(family, spec.kind, **{key: value})
            except SizeError as of_one:
                if of_one.key == key:
                    _refuse(spec, of_one, findings)
        _refuse(spec, error, findings)
        return None


def check_shape(spec: JobSpec, findings: Findings) -> None:
    """Note what no model could be asked for as a size."""
    for text, read in ((spec.size, parse_size), (spec.aspect, parse_aspect)):
        try:
            if text is not None:
                read(text)
        except SizeError as error:
            _refuse(spec, error, findings)


def _refuse(spec: JobSpec, error: SizeError, findings: Findings) -> None:
    found = getattr(spec, error.key)
    findings.add((error.key,), str(error), found=found, allowed=error.allowed)


def check_kind(spec: JobSpec, family: Family, findings: Findings) -> None:
    """Note a model that does not do this kind of job at all."""
    if spec.kind == "t2i" and family.min_references > 0:
        findings.add(("model",), f"{family.title} needs a photo; it cannot run a t2i job")
    if spec.kind != "t2i" and family.max_references == 0:
        findings.add(("model",), f"{family.title} takes no photos; it cannot run a {spec.kind} job")


def check_set(spec: JobSpec, references: int, findings: Findings) -> None:
    """Note a set that passes the service's sum of photos and pictures."""
    if references and references + spec.count > MAX_SET:
        findings.add(
            ("count",),
            f"count must be at most {MAX_SET - references}: {references} photos and {spec.count} "
            f"pictures are more than {MAX_SET} together",
            found=spec.count,
            allowed=f"1 to {MAX_SET - references}",
        )


def set_warning(spec: JobSpec) -> str | None:
    """Give the warning that a prompt asks for one picture where several may come."""
    prompts = spec.prompts or (spec.prompt or "",)
    if spec.count == 1 or all(_SEVERAL.search(prompt) for prompt in prompts):
        return None
    return (
        f"count is {spec.count}, but a prompt has no word for several pictures; the model then "
        'usually makes one. Write for example "a series of three pictures".'
    )


def cap_warning(spec: JobSpec, price_micro_usd: int | None) -> str | None:
    """Give the warning that a job may cost more than it allows itself."""
    if spec.max_cost_usd is None or (price_micro_usd or 0) <= spec.max_cost_usd * 1_000_000:
        return None
    return (
        f"all of it costs up to ${(price_micro_usd or 0) / 1e6:.2f} and max_cost_usd is "
        f"{spec.max_cost_usd:g}; no shot is sent that would pass it, and the job then fails."
    )


def _lacks(findings: Findings, family: Family, key: str, value: object) -> None:
    findings.add(
        (key,),
        f"{family.title} ignores {key}; take it away",
        found=value,
        allowed="nothing: take the entry away",
    )


def _choice(
    findings: Findings, family: Family, key: str, value: str | None, choices: tuple[str, ...]
) -> None:
    if value is None or value in choices:
        return
    if not choices:
        _lacks(findings, family, key, value)
        return
    findings.add(
        (key,),
        f'{key} must be {" or ".join(choices)} for {family.title}, not "{value}"',
        found=value,
        allowed=", ".join(choices),
    )
