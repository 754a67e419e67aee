from pathlib import Path

import pytest
from PIL import Image

from seedream_daemon.photos.sheet import ROW_SIZE, join, write_row
from seedream_daemon.photos.steps import PrepareRequest, SheetRow
from seedream_daemon.photos.workers import PhotoWorkers


def test_a_row_shows_the_boxes_and_the_crop(save, shown, tmp_path: Path):
    photo = save(Image.new("RGB", (300, 400), "blue"), "a.jpg", turned=6, quality=95)
    crop = save(Image.new("RGB", (1024, 1024), "red"), "crop.jpg")
    row = SheetRow(
        title="여권.jpg - face" * 20,
        photo=photo,
        crop=crop,
        to=tmp_path / "row.jpg",
        face=(150.0, 100.0, 100.0, 100.0),
        square=(100, 50, 200),
    )
    assert SheetRow.from_json(row.to_json()) == row
    write_row(row)
    image = shown(row.to)
    assert image.size == ROW_SIZE
    red, _, blue = image.getpixel((560, 150))
    assert (red > 200, blue < 40) == (True, True)
    green = [
        x
        for x in range(10, 410)
        if (p := image.getpixel((x, 180)))[1] > 120 and p[2] < 150 and p[0] < 120
    ]
    assert 155 <= min(green) <= 165  # the photo is turned: 400 x 300, its box begins at 150
    assert 255 <= max(green) <= 265


@pytest.mark.parametrize("count", [1, 3, 20, 100])
def test_rows_are_joined_in_columns(count: int, save, shown, tmp_path: Path):
    row = save(Image.new("RGB", ROW_SIZE, "red"), "row.jpg")
    join([row] * count, tmp_path / "sheet.jpg")
    width, height = shown(tmp_path / "sheet.jpg").size
    assert (width // ROW_SIZE[0]) * (height // ROW_SIZE[1]) >= count
    assert max(width, height) < 20_000


async def test_workers_draw_rows_and_the_sheet(person, save, shown, tmp_path: Path):
    photo = save(person, "a.jpg")
    async with PhotoWorkers(1) as workers:
        request = PrepareRequest(photo=photo, to=tmp_path / "crop.jpg", step="crop")
        prepared = await workers.prepare(request)
        row = SheetRow(
            title="a.jpg",
            photo=photo,
            crop=prepared.file,
            to=tmp_path / "row.jpg",
            face=prepared.face,
            square=prepared.square,
        )
        await workers.sheet_row(row)
        await workers.join_sheet([row.to], tmp_path / "sheet.jpg")
    assert shown(tmp_path / "sheet.jpg").size == ROW_SIZE


@pytest.mark.slow
async def test_a_row_of_a_large_transparent_photo_needs_it_but_twice(save, shown, tmp_path: Path):
    photo = save(Image.new("RGBA", (10_000, 6_000), (0, 0, 0, 0)), "a.png", compress_level=1)
    crop = save(Image.new("RGB", (1024, 1024), "red"), "crop.jpg")
    row = SheetRow(title="a.png", photo=photo, crop=crop, to=tmp_path / "row.jpg")
    async with PhotoWorkers(1, memory_bytes=1 << 30) as workers:  # 4 bytes a pixel: 240 MB
        await workers.sheet_row(row)
    assert min(shown(row.to).getpixel((200, 100))) > 240
