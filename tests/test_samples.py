"""The examples that people start from, as they lie in the repository."""

import tomllib
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from seedream_daemon.samples import draw_all

TEMPLATE = Path(__file__).parent.parent / "inbox_template"
EXAMPLES = {
    "bulk-retouch": "bulk",
    "id-photo-grid": "grid",
    "image-edit": "i2i",
    "text-to-image": "t2i",
}


def photos_in(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*.jpg"))


def test_there_is_one_example_of_each_kind():
    kinds = {
        path.parent.name: tomllib.loads(path.read_text(encoding="utf-8"))["kind"]
        for path in TEMPLATE.glob("*/job.toml")
    }
    assert kinds == EXAMPLES


def test_the_photos_of_the_examples_are_what_is_drawn(tmp_path):
    drawn = draw_all(tmp_path)
    assert photos_in(tmp_path) == photos_in(TEMPLATE)
    for path in drawn:
        with Image.open(path) as new, Image.open(TEMPLATE / path.relative_to(tmp_path)) as kept:
            worst = max(high for _, high in ImageChops.difference(new, kept).getextrema())
        assert worst < 40, path  # another build of the JPEG library may round differently


def test_every_photo_is_small_and_differs_from_its_neighbours(tmp_path):
    drawn = draw_all(tmp_path)
    assert max(path.stat().st_size for path in drawn) <= 40_000
    for folder in {path.parent for path in drawn}:
        contents = [path.read_bytes() for path in drawn if path.parent == folder]
        assert len(set(contents)) == len(contents)


def test_the_bulk_example_expects_the_photos_that_it_has():
    folder = TEMPLATE / "bulk-retouch"
    job = tomllib.loads((folder / "job.toml").read_text(encoding="utf-8"))
    assert job["expect"] == len(photos_in(folder))


def test_the_grid_example_names_its_groups():
    folder = TEMPLATE / "id-photo-grid"
    job = tomllib.loads((folder / "job.toml").read_text(encoding="utf-8"))
    groups = {path.name for path in (folder / "groups").iterdir()}
    per_group = {name for name, value in job["variables"].items() if isinstance(value, dict)}
    assert groups == per_group == set(job["labels"])


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_prompt_of_an_example_is_one_line(example):
    job = tomllib.loads((TEMPLATE / example / "job.toml").read_text(encoding="utf-8"))
    for prompt in job.get("prompts") or [job["prompt"]]:
        assert "\n" not in prompt.strip("\n")
        assert "  " not in prompt


def test_the_text_for_people_is_short():
    lines = (TEMPLATE / "READ-ME-FIRST.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 55
    assert max(map(len, lines)) <= 80
