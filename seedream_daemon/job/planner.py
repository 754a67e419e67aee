"""JobSpec + what lies in the folder -> Plan of Shots with lasting ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seedream_daemon.errors import JobInvalidError
from seedream_daemon.job.columns import gather_columns
from seedream_daemon.job.draft import Draft
from seedream_daemon.job.gather import Gatherer
from seedream_daemon.job.limits import (
    ask,
    cap_warning,
    check_kind,
    check_set,
    check_shape,
    set_warning,
    sized,
)
from seedream_daemon.job.listing import Listing
from seedream_daemon.job.mistakes import Findings
from seedream_daemon.job.models import Family, family_of, is_known, price_micro_usd
from seedream_daemon.job.names import extension, nfc, picture_stems
from seedream_daemon.job.plan import Group, Photo, Plan, Shot
from seedream_daemon.job.schema import JobSpec
from seedream_daemon.job.sizes import Size
from seedream_daemon.job.variables import check_values, templates_of, values_for_all

_MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    """The photos of a job, by what they are for."""

    photos: tuple[Photo, ...] = ()
    common: tuple[Photo, ...] = ()
    groups: tuple[Group, ...] = ()


def plan_job(
    job: JobSpec | Draft,
    listing: Listing,
    *,
    default_model: str,
    default_family: str | None = None,
    price_per_image_micro_usd: int | None = None,
    allowed_roots: Sequence[Path] = (),
) -> Plan:
    """Work out every shot of a job. Raises JobInvalidError with every mistake, a draft's too.

    `default_model` and `default_family` stand in where the job says none. A price per picture,
    in micro-dollars, replaces the list price. `allowed_roots` are folders outside the drop,
    their links resolved, from which a job may name photos.
    """
    draft = job if isinstance(job, Draft) else Draft(spec=job)
    spec = draft.spec
    if spec is None:
        raise JobInvalidError(draft.problems)
    findings = Findings(spec.source, known=draft.problems, told=draft.told)
    model = spec.model or default_model
    stated = spec.model_family or default_family
    family, guess = family_of(model, stated)
    gatherer = Gatherer(listing, findings, allowed_roots)
    if draft.problems:
        _note_the_rest(draft, spec, family, gatherer, findings)
        raise findings.refusal()
    check_kind(spec, family, findings)
    asked = ask(spec, family, findings)
    size = sized(spec, family, findings)
    material = _gather(spec, family, gatherer, findings)
    check_values(spec, tuple(group.name for group in material.groups), findings)
    if findings or size is None:
        raise findings.refusal()
    shots = _shots(spec, material)
    price = _price(family, spec.count, size, shots, price_per_image_micro_usd)
    is_priced = is_known(model) or stated is not None or price_per_image_micro_usd is not None
    known = price if is_priced else None
    told = (guess, set_warning(spec), cap_warning(spec, known))
    warnings = (*told, *_photo_warnings(material, gatherer))
    return Plan(
        **_of_job(spec),
        name=spec.name or nfc(listing.root.name),
        model=model,
        family=family.name,
        size=size.sent,
        asked=asked,
        shots=shots,
        groups=material.groups,
        common=material.common,
        price_micro_usd=known,
        warnings=tuple(text for text in warnings if text),
    )


def _note_the_rest(
    draft: Draft, spec: JobSpec, family: Family, gatherer: Gatherer, findings: Findings
) -> None:
    """Note the mistakes of a draft's valid entries that do not follow from the known ones."""
    is_told = spec.model is not None and is_known(spec.model)
    if "model" in draft.doubtful or ("model_family" in draft.doubtful and not is_told):
        check_shape(spec, findings)
        family = replace(family, max_references=0)  # as many as there are
    else:
        if "kind" not in draft.doubtful:
            check_kind(spec, family, findings)
        ask(spec, family, findings)
        sized(spec, family, findings)
    if "kind" in draft.doubtful:
        gatherer.refuse_strangers()
        gatherer.check_named(spec)
        material = _Material()
    else:
        material = _gather(spec, family, gatherer, findings)
    groups = tuple(group.name for group in material.groups)
    check_values(spec, groups, findings, draft.doubtful)


def _of_job(spec: JobSpec) -> dict[str, Any]:
    """Give the part of a plan that stands in job.toml as it is."""
    return {
        "kind": spec.kind,
        "prompts": spec.prompts or (spec.prompt or "",),
        "crop": spec.kind == "grid" and spec.crop,
        "upright": spec.upright,
        "oversize": spec.oversize,
        "on_bad_photo": spec.on_bad_photo,
        "max_cost_micro_usd": (
            None if spec.max_cost_usd is None else round(spec.max_cost_usd * _MICRO)
        ),
    }


def awaited(
    spec: JobSpec, listing: Listing, *, family: Family, allowed_roots: Sequence[Path] = ()
) -> tuple[str, ...]:
    """Say in sentences which photos a job names or expects and are not there yet."""
    findings = Findings()
    _gather(spec, family, Gatherer(listing, findings, allowed_roots), findings)
    return tuple(findings.missing)


def _gather(spec: JobSpec, family: Family, gatherer: Gatherer, findings: Findings) -> _Material:
    gatherer.refuse_strangers()
    if spec.kind == "t2i":
        return _Material()
    if spec.kind == "grid":
        common, groups = gather_columns(spec, family, gatherer, findings)
        material = _Material(common=common, groups=groups)
    else:
        photos = _photos(spec, gatherer, findings)
        if spec.kind == "i2i":
            _check_references(photos, family, findings)
        if spec.kind == "bulk" or len(photos) <= family.max_references:
            check_set(spec, 1 if spec.kind == "bulk" else len(photos), findings)
        material = _Material(photos=photos)
    if spec.expect is not None and len(gatherer.used) < spec.expect:
        findings.add_missing(
            ("expect",),
            f"expect says {spec.expect} photos, and {len(gatherer.used)} are there",
            found=spec.expect,
        )
    return material


def _photos(spec: JobSpec, gatherer: Gatherer, findings: Findings) -> tuple[Photo, ...]:
    before = len(findings)
    if spec.photos is not None:
        photos = gatherer.photos(("photos",), spec.photos)
        where = "photos names none"
    elif gatherer.has_folder("photos"):
        photos = gatherer.photos(("photos",), "photos")
        where = "the folder photos holds none"
    else:
        photos = gatherer.beside("")
        where = "none lies beside job.toml or in a folder photos"
    if not photos and len(findings) == before:
        findings.add_missing(
            ("photos",) if spec.photos is not None else (),
            f"there are no photos: {where} (jpg, jpeg, png, webp, heic, heif)",
        )
    return photos


def _check_references(photos: tuple[Photo, ...], family: Family, findings: Findings) -> None:
    most = family.max_references
    if 0 < most < len(photos):
        findings.add(
            ("photos",),
            f"there are {len(photos)} photos, and {family.title} takes at most {most} in a "
            "request; take some away, or name those you mean in photos",
            found=len(photos),
            allowed=f"1 to {most}",
        )


def _shots(spec: JobSpec, material: _Material) -> tuple[Shot, ...]:
    if spec.kind == "grid":
        return _cells(spec, material)
    template = spec.prompt or ""
    ((_, parsed),) = templates_of(spec)
    prompt = parsed.fill(values_for_all(spec))
    if spec.kind != "bulk":
        photos = material.photos
        return (
            Shot(id="1", name="01", stem="01", template=template, prompt=prompt, photos=photos),
        )
    stems = picture_stems([photo.name for photo in material.photos], count=spec.count)
    return tuple(
        Shot(
            id=photo.name,
            name=photo.name,
            stem=stem,
            template=template,
            prompt=prompt,
            photos=(photo,),
        )
        for photo, stem in zip(material.photos, stems, strict=True)
    )


def _cells(spec: JobSpec, material: _Material) -> tuple[Shot, ...]:
    return tuple(
        Shot(
            id=f"r{row}_c{col}",
            name=f"{group.label} {row}",
            stem=f"cells/r{row}_c{col}",
            template=template,
            prompt=parsed.fill(dict(group.variables)),
            photos=(*material.common, *group.photos),
            group=group.name,
            row=row,
            col=col,
        )
        for row, (template, (_, parsed)) in enumerate(
            zip(spec.prompts or (), templates_of(spec), strict=True), start=1
        )
        for col, group in enumerate(material.groups, start=1)
    )


def _price(
    family: Family, count: int, size: Size, shots: Sequence[Shot], override: int | None
) -> int:
    return sum(
        price_micro_usd(
            family,
            count=count,
            references=len(shot.photos),
            pixels=size.pixels,
            per_image_override=override,
        )
        for shot in shots
    )


def _photo_warnings(material: _Material, gatherer: Gatherer) -> list[str]:
    warnings = [
        f"Group {group.name}: {len(group.left_out)} photos do not fit into a request and are left "
        f"out: {', '.join(group.left_out)}."
        for group in material.groups
        if group.left_out
    ]
    unused = gatherer.unused()
    if unused:
        verb = "1 picture lies" if unused == 1 else f"{unused} pictures lie"
        warnings.append(f"{verb} elsewhere in the folder, unused.")
    sent = {*material.photos, *material.common}
    sent.update(photo for group in material.groups for photo in group.photos)
    heic = sum(extension(photo.name) in {"heic", "heif"} for photo in sent)
    if heic:
        verb = "1 photo is" if heic == 1 else f"{heic} photos are"
        warnings.append(f"{verb} HEIC and will be sent as JPEG.")
    return warnings
