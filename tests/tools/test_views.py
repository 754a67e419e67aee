import base64
import io
import json

import anyio
import numpy as np
import pytest
from PIL import Image

from seedream_daemon.photos.workers import PhotoWorkers
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.sessions import SessionDesk
from seedream_daemon.tools.shelf import Shelf
from seedream_daemon.tools.views import FILE_BYTES, PICTURE_BYTES, SHEET_BYTES, ViewDesk


def noise(side, kind="JPEG", seed=1):
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, quality=95)
    return stream.getvalue()


def bulk(base, pictures):
    folder = base / "2025-01-01_00-00-00_x_bulk"
    folder.mkdir(parents=True)
    for name, content in pictures.items():
        if content is not None:
            (folder / name).write_bytes(content)
    items = [{"name": name, "saved": name} for name in pictures]
    content = {"kind": "bulk", "prompt": "한" * 3_000, "items": items}
    (folder / "metadata.json").write_text(json.dumps(content), encoding="utf-8")
    return folder.name


@pytest.fixture
async def view(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    base = tmp_path / "out"
    async with PhotoWorkers() as workers:

        async def look(pictures, key=None, max_side=768):
            name = bulk(base, pictures) if pictures else "2025-01-01_00-00-00_x_bulk"
            desk = SessionDesk(Shelf(base), lambda _: None)
            opened = await anyio.to_thread.run_sync(desk.open, name)
            return await ViewDesk(workers, scratch).look(opened, key, max_side)

        look.file = lambda opened, key: ViewDesk(workers, scratch).file(opened, key)
        look.base = base
        yield look


def reply_bytes(text, jpeg):
    reply = {
        "content": [
            {"type": "text", "text": text},
            {"type": "image", "data": base64.b64encode(jpeg).decode(), "mimeType": "image/jpeg"},
        ]
    }
    return len(json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode())


async def test_a_picture_keeps_within_its_bytes_whatever_it_shows(view):
    text, jpeg = await view({"a.jpg": noise(1400)}, "a.jpg", 1568)
    words = json.loads(text)
    assert len(jpeg) <= PICTURE_BYTES
    assert reply_bytes(text, jpeg) <= 64_000
    assert (words["width"], words["height"]) == (1400, 1400)
    assert Image.open(io.BytesIO(jpeg)).size == tuple(words["shown"])


async def test_a_sheet_shows_the_first_25_and_keeps_within_its_bytes(view):
    text, jpeg = await view({f"{n:02d}.jpg": noise(500, seed=n) for n in range(30)}, None, 1568)
    words = json.loads(text)
    assert len(jpeg) <= SHEET_BYTES
    assert reply_bytes(text, jpeg) <= 420_000
    assert (len(words["legend"]["pictures"]), words["legend"]["more"]) == (25, 5)
    assert max(words["shown"]) <= 1568


async def test_what_is_missing_or_broken_leaves_its_place_empty(view):
    text, jpeg = await view({"a.jpg": noise(64), "b.jpg": b"no picture", "c.png": noise(64, "PNG")})
    assert len(json.loads(text)["legend"]["pictures"]) == 3
    assert jpeg[:2] == b"\xff\xd8"
    with pytest.raises(ToolRefusedError) as caught:
        await view(None, "b.jpg")
    assert caught.value.code == "no_picture_yet"
    with pytest.raises(ToolRefusedError) as caught:
        await view(None, "nobody.jpg")
    assert caught.value.code == "unknown_key"


async def test_a_link_out_of_the_session_is_not_shown(view, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(noise(64))
    await view({"a.jpg": noise(64), "b.jpg": noise(64)})
    session = view.base / "2025-01-01_00-00-00_x_bulk"
    (session / "b.jpg").unlink()
    (session / "b.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(ToolRefusedError) as caught:
        await view(None, "b.jpg")
    assert caught.value.code in ("no_picture_yet", "unknown_key")


async def test_a_large_file_is_handed_out_smaller(view):
    await view({"a.png": noise(1000, "PNG"), "b.jpg": noise(64)}, "b.jpg")
    desk = SessionDesk(Shelf(view.base), lambda _: None)
    opened = desk.open("2025-01-01_00-00-00_x_bulk")
    kind, data = await view.file(opened, "a.png")
    assert (kind, len(data) <= FILE_BYTES) == ("image/jpeg", True)
    kind, data = await view.file(opened, "b.jpg")
    assert data == noise(64)


async def test_pictures_can_be_switched_off(desk):
    async with desk().open(MCP_IMAGES="none") as at:
        job = await at.done("generate_image", prompt="a fox")
        with pytest.raises(ToolRefusedError) as caught:
            await at("view_image", job_id=job["job_id"])
        assert caught.value.code == "images_off"
