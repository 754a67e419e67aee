"""The fields of a request -> what it asks for, or the refusal of the live service."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from seedream_daemon.emulator import refusal
from seedream_daemon.emulator.families import RATIOS, Family, Size, family_of, nearest_ratio

MAX_SET = 15
_PIXELS = re.compile(r"(\d{1,6})x(\d{1,6})", re.IGNORECASE)
_RATIO_IN_PROMPT = re.compile(r"(?<!\d)(\d{1,2}:\d{1,2})(?!\d)")

_WORDS = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "pair": 2,
    "few": 3,
    "several": 3,
    "multiple": 3,
}
_NUMBER = r"(\d{1,2}|" + "|".join(_WORDS) + ")"
_THINGS = (
    "(?:pictures|images|photos|photographs|shots|variations|variants|versions|views|angles|poses"
    "|frames|panels|scenes|posters|stickers|illustrations)"
)
_SEVERAL = (
    re.compile(rf"\b{_NUMBER}\b(?:\s+of)?(?:\s+[\w-]+){{0,3}}?\s+{_THINGS}\b", re.IGNORECASE),
    re.compile(rf"\b(?:set|series|group|sequence)\s+of\s+{_NUMBER}\b", re.IGNORECASE),
    re.compile(r"(\d{1,2})\s*(?:장|컷|张|張|枚)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that may be answered.

    Either `pixels` or `tier` says the size; a tier word leaves the ratio to the photos and the
    prompt. `images` are the values of the field as sent, not yet looked at.
    """

    model: str
    family: Family
    prompt: str
    pixels: Size | None
    tier: str | None
    images: tuple[str, ...]
    max_images: int
    stream: bool
    b64: bool
    png: bool
    watermark: bool
    seed: int | None

    def size(self, photos: tuple[Size, ...]) -> Size:
        """Give the size of the pictures, which a tier word takes from the first photo."""
        if self.pixels is not None:
            return self.pixels
        sizes = self.family.tiers[self.tier or "2k"]
        if photos:
            return sizes[nearest_ratio(*photos[0])]
        named = _RATIO_IN_PROMPT.search(self.prompt)
        return sizes[named[1] if named and named[1] in RATIOS else "1:1"]

    def count(self) -> int:
        """Say how many pictures are made: what the prompt's number words ask, within bounds.

        Photos and pictures together are at most 15. That more is cut down and not refused is a
        choice: the documentation is silent.
        """
        if self.max_images == 1:
            return 1
        return max(1, min(pictures_in(self.prompt), self.max_images, MAX_SET - len(self.images)))


def pictures_in(prompt: str) -> int:
    """Read how many pictures a prompt asks for in words; 1 if it does not say."""
    for pattern in _SEVERAL:
        if found := pattern.search(prompt):
            word = found[1].lower()
            return int(word) if word.isdigit() else _WORDS[word]
    return 1


def model_of(fields: Mapping[str, object]) -> tuple[str, Family]:
    """Find the model; asked first, since a closed model is told before any other mistake."""
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise refusal.missing("model")
    return model, family_of(model)


def check(fields: Mapping[str, object]) -> Asked:
    """Read a request's fields, of which an explicit null is as good as absent.

    Raises RefusalError for the first mistake, as the live service does.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    model, family = model_of(given)
    prompt = given.get("prompt")
    if prompt is None:
        raise refusal.missing("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise refusal.invalid("prompt")
    _check_unknown(given, family)
    pixels, tier = _size(given.get("size", family.default_size), family)
    seed = _integer(given, "seed", -1, 2**31 - 1)
    return Asked(
        model=model,
        family=family,
        prompt=prompt,
        pixels=pixels,
        tier=tier,
        images=_images(given.get("image", []), family),
        max_images=_max_images(given, family),
        stream=_flag(given, "stream", default=False),
        b64=_choice(given, "response_format", ("url", "b64_json")) == "b64_json",
        png=_choice(given, "output_format", ("jpeg", "png")) == "png",
        watermark=_flag(given, "watermark", default=True),
        seed=None if seed == -1 else seed,
    )


def _check_unknown(given: Mapping[str, object], family: Family) -> None:
    """Refuse fields that this model does not have; fields that no model has are ignored."""
    if given.get("stream") and not family.stream:
        raise refusal.unsupported("stream")
    if "sequential_image_generation" in given and not family.sets:
        raise refusal.unsupported("sequential_image_generation")
    for name in ("tools", "background", "layer_decomposition"):
        if given.get(name):
            raise refusal.unsupported(name)
    if "output_format" in given and given["output_format"] != "jpeg" and not family.png:
        raise refusal.unsupported("output_format")
    _check_guidance(given, family)
    options = given.get("optimize_prompt_options")
    if options is not None:
        _check_mode(options, family)


def _check_guidance(given: Mapping[str, object], family: Family) -> None:
    scale = given.get("guidance_scale")
    if scale is None:
        return
    if not family.guidance:
        raise refusal.unsupported("guidance_scale")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 1 <= scale <= 10:
        raise refusal.invalid("guidance_scale", "guidance_scale must be between 1.0 and 10.0")


def _check_mode(options: object, family: Family) -> None:
    if not family.modes:
        raise refusal.unsupported("optimize_prompt_options")
    if not isinstance(options, dict):
        raise refusal.invalid("optimize_prompt_options")
    mode = options.get("mode")
    if mode is None or mode in family.modes:
        return
    allowed = " or ".join(f"'{mode}'" for mode in family.modes)
    raise refusal.invalid(
        "optimize_prompt_options.mode", f"optimize_prompt_options.mode must be {allowed}"
    )


def _size(value: object, family: Family) -> tuple[Size | None, str | None]:
    if isinstance(value, str) and value.lower() in family.tiers:
        return None, value.lower()
    found = _PIXELS.fullmatch(value) if isinstance(value, str) else None
    if found is None or "adaptive" in family.tiers:
        raise refusal.invalid("size", f"size must be one of {_sizes_in_words(family)}")
    width, height = int(found[1]), int(found[2])
    if width * height < family.min_px:
        raise refusal.invalid("size", f"image size must be at least {family.min_px} pixels.")
    if width * height > family.max_px:
        raise refusal.invalid("size", f"image size must be at most {family.max_px} pixels.")
    if not 1 / 16 <= width / height <= 16:
        raise refusal.invalid("size", "image aspect ratio must be between 1/16 and 16.")
    return (width, height), None


def _sizes_in_words(family: Family) -> str:
    words = [f"'{tier}'" for tier in family.tiers]
    if "adaptive" not in family.tiers:
        words.insert(0, "'WIDTHxHEIGHT'")
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}, or {words[-1]}"


def _images(value: object, family: Family) -> tuple[str, ...]:
    images = value if isinstance(value, list) else [value]
    if images and not family.max_references:
        raise refusal.unsupported("image")
    if len(images) > family.max_references:
        limit = family.max_references
        raise refusal.invalid("image", f"number of reference images cannot exceed {limit}")
    if len(images) < family.min_references:
        raise refusal.missing("image")
    if not all(isinstance(image, str) for image in images):
        raise refusal.invalid("image", "invalid url specified.")
    return tuple(images)


def _max_images(given: Mapping[str, object], family: Family) -> int:
    if not family.sets:
        return 1
    mode = _choice(given, "sequential_image_generation", ("disabled", "auto"))
    options = given.get("sequential_image_generation_options") or {}
    if not isinstance(options, dict):
        raise refusal.invalid("sequential_image_generation_options")
    name = "sequential_image_generation_options.max_images"
    most = _integer({name: options.get("max_images")}, name, 1, MAX_SET)
    return 1 if mode == "disabled" else most or MAX_SET


def _integer(given: Mapping[str, object], name: str, low: int, high: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refusal.invalid(name, f"{name} must be between {low} and {high}")
    return value


def _flag(given: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise refusal.invalid(name)
    return value


def _choice(given: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> str:
    value = given.get(name, allowed[0])
    if value not in allowed:
        raise refusal.invalid(name, f"{name} must be one of: {', '.join(allowed)}")
    return str(value)
