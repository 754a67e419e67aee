"""JobSpec + what lies in the folder -> Plan of Shots with lasting ids."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["t2i", "i2i", "bulk", "grid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """An input picture: its name as people see it and where it lies.

    `name` is NFC, relative to the drop, with "/" between folders; `path` is absolute and spelt as
    on disk. `prepare` is what must be done to it before it is sent: "asis" (byte for byte, HEIC
    excepted) or "crop" (face crop, 1024 x 1024).
    """

    name: str
    path: Path
    prepare: Literal["asis", "crop"] = "asis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The settings of a request that are the same for every shot of a job."""

    count: int = 1
    seed: int | None = None
    guidance_scale: float | None = None
    output_format: str | None = None
    optimize_prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One planned request.

    `id` is its place in the job (`r2_c3`, the photo's name as listed, `1`), the same on every
    run. `stem` is the path of its first picture inside the session, without the extension
    (`01`, `IMG_1`, `cells/r1_c2`). `photos` are in the order in which they are sent.
    """

    id: str
    name: str
    stem: str
    template: str
    prompt: str
    photos: tuple[Photo, ...] = ()
    group: str | None = None
    row: int | None = None
    col: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A column of a grid: `name` is its folder, `label` what tables and pages call it.

    `photos` are the group's own, without the common ones; `left_out` those that did not fit.
    """

    name: str
    label: str
    photos: tuple[Photo, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a job asks for, worked out: nothing of it changes while the job runs.

    `size` is what is sent ("1728x2304", a tier word, "adaptive", or None where the model takes
    none). `warnings` are sentences for people. Money is in whole micro-dollars;
    `price_micro_usd` is the most the plan can cost, None where the model's price is unknown.
    """

    kind: Kind
    name: str
    model: str
    family: str
    size: str | None
    asked: Asked
    shots: tuple[Shot, ...]
    prompts: tuple[str, ...]
    groups: tuple[Group, ...] = ()
    common: tuple[Photo, ...] = ()
    crop: bool = False
    upright: bool = False
    oversize: str = "reject"
    on_bad_photo: str = "skip"
    max_cost_micro_usd: int | None = None
    price_micro_usd: int | None = None
    warnings: tuple[str, ...] = ()
