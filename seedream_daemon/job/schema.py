"""The keys of job.toml: one type from which reader, JSON Schema and documentation come."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StrictFloat, StrictInt, StrictStr

from seedream_daemon.job.models import FAMILY_NAMES, MAX_SET, SEED_MAX, FamilyName
from seedream_daemon.job.plan import Kind

MAX_PROMPTS = 10
MAX_GROUPS = 10
MAX_COMMON = 5

KINDS: tuple[Kind, ...] = ("t2i", "i2i", "bulk", "grid")
_SINGLE: tuple[Kind, ...] = ("t2i", "i2i", "bulk")
_WITH_PHOTOS: tuple[Kind, ...] = ("i2i", "bulk", "grid")
_GRID: tuple[Kind, ...] = ("grid",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What people are told about a key: its kinds, what it may hold, and its default."""

    allowed: str
    kinds: tuple[Kind, ...] = KINDS
    each: str | None = None
    default: str = ""
    required: bool = False


Text = Annotated[StrictStr, Field(min_length=1, pattern=r"\S")]
Names = Annotated[tuple[Text, ...], Field(strict=False)]
Value = StrictStr | StrictInt | StrictFloat
Photos = Text | Names

_PHOTOS = "a folder or a list of photos"


class JobSpec(BaseModel):
    """What a job.toml says, key by key; what it means is the planner's to work out."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())
    _source: bytes = PrivateAttr(b"")

    kind: Annotated[
        Kind, Says(allowed="one of t2i, i2i, bulk, grid", required=True, default="required")
    ] = Field(
        description="t2i: from text. i2i: from up to ten photos. bulk: the same edit for every "
        "photo. grid: prompts x groups of people or products."
    )
    name: Annotated[Text | None, Says(allowed="a text", default="the folder's name")] = Field(
        None, description="What the job is called."
    )
    prompt: Annotated[
        Text | None, Says(allowed="a text", kinds=_SINGLE, required=True, default="required")
    ] = Field(None, description="What to make; {name} stands for a variable, {{ and }} for braces.")
    prompts: Annotated[
        Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=MAX_PROMPTS)]
        | None,
        Says(
            allowed=f"a list of 1 to {MAX_PROMPTS} texts",
            each="a text",
            kinds=_GRID,
            required=True,
            default="required",
        ),
    ] = Field(None, description="The rows of the grid, each asked for every group.")
    model: Annotated[
        Text | None, Says(allowed="a model id or an endpoint id", default="SEEDREAM_MODEL_ID")
    ] = Field(None, description="The model to ask, an id or an ep-... endpoint.")
    model_family: Annotated[
        FamilyName | None,
        Says(allowed=f"one of {', '.join(FAMILY_NAMES)}", default="SEEDREAM_MODEL_FAMILY"),
    ] = Field(None, description="What an endpoint or an unknown model is.")
    size: Annotated[Text | None, Says(allowed='width x height, such as "1296x1728"')] = Field(
        None, description="Width x height in pixels; stands alone."
    )
    aspect: Annotated[
        Text | None, Says(allowed='width:height, such as "3:4"', default='"1:1", see preset')
    ] = Field(None, description="The shape, from 1:16 to 16:1.")
    preset: Annotated[
        Text | None, Says(allowed="1K, 1.5K, 2K, 3K or 4K, as the model has them", default='"2K"')
    ] = Field(
        None,
        description="How large. Without aspect: 1:1, but in i2i and bulk the model chooses the "
        "shape by the photo.",
    )
    photos: Annotated[
        Photos | None,
        Says(
            allowed=_PHOTOS,
            each="the name of a photo",
            kinds=("i2i", "bulk"),
            default="the folder photos, else the photos beside job.toml",
        ),
    ] = Field(None, description="The photos to send.")
    common: Annotated[
        Photos | None,
        Says(
            allowed=_PHOTOS,
            each="the name of a photo",
            kinds=_GRID,
            default="the folder common, if it exists",
        ),
    ] = Field(
        None, description=f"Up to {MAX_COMMON} photos that every request sends first, uncropped."
    )
    groups: Annotated[
        Text | dict[str, Photos] | None,
        Says(
            allowed="a folder of folders, or a table that gives each group its photos",
            each=_PHOTOS,
            kinds=_GRID,
            default="the folder groups, else the folders beside job.toml",
        ),
    ] = Field(None, description=f"The columns of the grid, at most {MAX_GROUPS}.")
    labels: Annotated[
        dict[str, Text],
        Says(allowed="a table of texts by group", each="a text", kinds=_GRID, default="the names"),
    ] = Field(default_factory=dict, description="What tables and pages call a group.")
    variables: Annotated[
        dict[str, Value | dict[str, Value]],
        Says(allowed="a table of texts and numbers", each="a text or a number", default="none"),
    ] = Field(
        default_factory=dict,
        description="Values for the prompts; in a grid also a table per group, which wins.",
    )
    crop: Annotated[bool, Says(allowed="true or false", kinds=_GRID)] = Field(
        default=True, description="Cut group photos to the face, 1024 x 1024."
    )
    expect: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Says(allowed="a whole number from 1", kinds=_WITH_PHOTOS, default="none"),
    ] = Field(None, description="Photos that must be there before the job starts.")
    count: Annotated[
        int, Field(ge=1, le=MAX_SET), Says(allowed=f"a whole number from 1 to {MAX_SET}")
    ] = Field(
        1, description="At most so many pictures per request; say in the prompt that you want them."
    )
    seed: Annotated[
        Annotated[int, Field(ge=-1, le=SEED_MAX)] | None,
        Says(allowed=f"a whole number from -1 to {SEED_MAX}", default="none"),
    ] = Field(None, description="For models that know it (3.0).")
    guidance_scale: Annotated[
        Annotated[float, Field(ge=1, le=10)] | None,
        Says(allowed="a number from 1 to 10", default="none"),
    ] = Field(None, description="For models that know it (3.0).")
    output_format: Annotated[
        Literal["jpeg", "png"] | None, Says(allowed="one of jpeg, png", default="the model's")
    ] = Field(None, description="The type of the pictures.")
    optimize_prompt: Annotated[
        Literal["standard", "fast"] | None,
        Says(allowed="one of standard, fast", default="the model's"),
    ] = Field(None, description="How the model rewrites the prompt before it draws.")
    oversize: Annotated[Literal["reject", "shrink"], Says(allowed="one of reject, shrink")] = Field(
        "reject", description="A photo over the limits is a mistake, or is sent smaller."
    )
    upright: Annotated[bool, Says(allowed="true or false", kinds=KINDS)] = Field(
        default=False, description="Re-encode photos that the camera only marked as turned."
    )
    max_cost_usd: Annotated[
        Annotated[float, Field(gt=0, allow_inf_nan=False)] | None,
        Says(allowed="a number above 0", default="none"),
    ] = Field(None, description="The job may not cost more US dollars than this.")
    on_bad_photo: Annotated[Literal["skip", "fail"], Says(allowed="one of skip, fail")] = Field(
        "skip", description="In bulk: leave a bad photo out, or refuse the job."
    )

    @property
    def source(self) -> bytes:
        """The text that was read, to find lines in; empty for a job that no file holds."""
        return self._source

    def read_from(self, source: bytes) -> Self:
        """Remember the text that was read."""
        self._source = source
        return self


def says(key: str) -> Says:
    """Give what people are told about a key. Raises KeyError for an unknown one."""
    found = JobSpec.model_fields[key].metadata
    return next(note for note in found if isinstance(note, Says))


KEYS: tuple[str, ...] = tuple(JobSpec.model_fields)


def keys_of(kind: Kind | None) -> tuple[str, ...]:
    """Give the keys that a kind of job takes, all of them for None."""
    return tuple(key for key in KEYS if kind is None or kind in says(key).kinds)


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of job.toml."""
    schema = JobSpec.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "job.toml",
        **{key: value for key, value in schema.items() if key not in {"title", "properties"}},
        "properties": {key: _without_null(shape) for key, shape in schema["properties"].items()},
    }


def _without_null(shape: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: an absent key is the only way to say nothing."""
    kept = {key: value for key, value in shape.items() if key not in {"anyOf", "title"}}
    if kept.get("default", 0) is None:
        del kept["default"]
    choices = [choice for choice in shape.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **kept}
    return {"anyOf": choices, **kept} if choices else kept


def markdown_table() -> str:
    """Give the table of keys for the README."""
    lines = ["| key | kinds | meaning | allowed | default |", "|---|---|---|---|---|"]
    for key, field in JobSpec.model_fields.items():
        told = says(key)
        kinds = "all" if told.kinds == KINDS else " ".join(told.kinds)
        default = told.default or _default_text(field.default)
        lines.append(f"| `{key}` | {kinds} | {field.description} | {told.allowed} | {default} |")
    return "\n".join(lines) + "\n"


def _default_text(default: object) -> str:
    if default is None:
        return ""
    return f"`{str(default).lower()}`"
