import base64
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedream_daemon.ark import body as body_module
from seedream_daemon.ark.body import PIECE_BYTES, Body, PhotoChangedError
from seedream_daemon.ark.wire import ArkRequest, SentPhoto, body_fields


async def whole(body):
    return b"".join([piece async for piece in body])


def expected(request):
    urls = [
        f"data:{photo.mime};base64,{base64.b64encode(photo.path.read_bytes()).decode()}"
        for photo in request.photos
    ]
    fields = body_fields(request)
    if urls:
        fields["image"] = urls if len(urls) > 1 else urls[0]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [1],
        [2],
        [3],
        [PIECE_BYTES - 1],
        [PIECE_BYTES],
        [PIECE_BYTES + 1],
        [2 * PIECE_BYTES, 5, PIECE_BYTES + 2, 0],
    ],
)
async def test_the_pieces_are_the_whole_json_and_its_length_is_known(photo, sizes):
    photos = tuple(photo(size, f"{number}.jpg") for number, size in enumerate(sizes))
    request = ArkRequest(model="m", prompt='한글 "quoted" \u2028\n{', size="2K", photos=photos)
    body = Body(request)
    sent = await whole(body)
    assert sent == expected(request)
    assert body.content_length == len(sent)
    assert body.all_sent


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    prompt=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    sizes=st.lists(st.integers(0, 4000), max_size=4),
)
async def test_any_prompt_and_any_photos_give_the_length_foretold(photo, prompt, sizes):
    photos = tuple(photo(size, f"{number}.jpg") for number, size in enumerate(sizes))
    request = ArkRequest(model="m", prompt=prompt, photos=photos)
    body = Body(request)
    sent = await whole(body)
    assert sent == expected(request)
    assert body.content_length == len(sent)


async def drain(pieces, sent):
    async for piece in pieces:
        sent.append(len(piece))


async def drain_until_broken(body):
    sent = []
    with pytest.raises(PhotoChangedError) as caught:
        await drain(aiter(body), sent)
    assert sum(sent) < body.content_length
    assert not body.all_sent
    return str(caught.value)


@pytest.mark.parametrize("change", [-1, 1])
async def test_a_photo_of_another_size_breaks_the_body_off(photo, change):
    sent = photo(PIECE_BYTES + 10)
    os.truncate(sent.path, sent.size_bytes + change)
    body = Body(ArkRequest(model="m", prompt="p", photos=(sent,)))
    assert "photo.jpg" in await drain_until_broken(body)


@pytest.mark.parametrize("change", [-1, 1])
async def test_a_photo_that_changes_under_way_breaks_the_body_off(photo, change):
    sent = photo(3 * PIECE_BYTES)
    body = Body(ArkRequest(model="m", prompt="p", photos=(sent,)))
    pieces = aiter(body)
    await anext(pieces)
    await anext(pieces)
    os.truncate(sent.path, sent.size_bytes + change)
    with pytest.raises(PhotoChangedError, match="changed its length"):
        await drain(pieces, [])
    assert not body.all_sent


async def test_a_photo_that_is_gone_breaks_the_body_off(tmp_path):
    gone = SentPhoto(path=tmp_path / "gone.jpg", mime="image/jpeg", size_bytes=10)
    body = Body(ArkRequest(model="m", prompt="p", photos=(gone,)))
    assert "cannot be read" in await drain_until_broken(body)


async def test_all_sent_is_told_only_after_the_last_piece_was_taken(photo):
    told = []
    body = Body(
        ArkRequest(model="m", prompt="p", photos=(photo(9),)), on_all_sent=lambda: told.append(1)
    )
    async for _ in body:
        assert told == []
    assert told == [1]


async def test_memory_does_not_grow_with_the_photo(photo):
    sent = photo(40 * PIECE_BYTES)
    body = Body(ArkRequest(model="m", prompt="p", photos=(sent,)))
    tracemalloc.start()
    async for _ in body:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * body_module.PIECE_BYTES


async def test_a_body_given_up_leaves_no_file_open(photo):
    sent = photo(3 * PIECE_BYTES)
    body = Body(ArkRequest(model="m", prompt="p", photos=(sent,)))
    pieces = aiter(body)
    await anext(pieces)
    await anext(pieces)
    assert str(sent.path) in open_files()
    body.close()
    body.close()
    assert str(sent.path) not in open_files()


def open_files():
    return [str(link.resolve()) for link in Path("/proc/self/fd").iterdir()]
