import os

import anyio
import pytest

from seedream_daemon.tools.refusal import ToolRefusedError


async def refused(made):
    with pytest.raises(ToolRefusedError) as caught:
        await made
    return str(caught.value)


def edit(at, *photos):
    return at("edit_image", prompt="brighter", photos=list(photos))


@pytest.mark.parametrize(
    "said",
    ["a.jpg", "~/a.jpg", "http://x/a.jpg", "data:image/png;base64,AA", "file://host/a", "./a"],
)
async def test_what_is_no_absolute_path_is_refused_with_the_place_to_use(desk, said):
    async with desk().open() as at:
        text = await refused(edit(at, said))
        assert text.startswith("path_refused: ")
        assert str(at.photos) in text


async def test_outside_there_is_one_answer_whether_anything_lies_there_or_not(desk):
    async with desk().open() as at:
        there, absent = at.home / "secret1.jpg", at.home / "secret2.jpg"
        at.photo("secret1.jpg", folder=at.home)
        texts = [await refused(edit(at, str(path))) for path in (there, absent)]
        assert texts[0].replace("secret1", "secret2") == texts[1]
        folders = [at.home / "folder1", at.home / "folder2"]
        folders[0].mkdir()
        texts = [await refused(at("check_job", folder=str(path))) for path in folders]
        assert texts[0].replace("folder1", "folder2") == texts[1]


async def test_a_link_leads_no_further_than_the_roots(desk):
    async with desk().open() as at:
        at.photo("secret.jpg", folder=at.home)
        (at.photos / "link.jpg").symlink_to(at.home / "secret.jpg")
        (at.photos / "up").symlink_to(at.home)
        for path in (at.photos / "link.jpg", at.photos / "up" / "secret.jpg"):
            assert (await refused(edit(at, str(path)))).startswith("path_refused: ")
        path = f"{at.photos}/../../secret.jpg"
        assert (await refused(edit(at, path))).startswith("path_refused: ")


async def test_photos_may_lie_in_the_photos_folder_a_root_and_a_session(desk):
    at = desk()
    root = at.home / "my root"
    async with at.open(ALLOWED_ROOTS=root):
        own = at.photo("한글 사진 {x}.jpg")
        other = at.photo("b.jpg", folder=root)
        first = await edit(at, own, f"file://{other.replace(' ', '%20')}")
        assert first["state"] == "done"
        second = await edit(at, first["pictures"][0])
        assert second["state"] == "done"
        third = await at("edit_image", prompt="all of them", photos=f'["{root}"]')
        assert third["state"] == "done"
        assert len(at.emulator.bill()[0]["photos"]) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_an_unreadable_photo_names_the_user_who_lacks_the_right(desk):
    async with desk().open() as at:
        path = at.photo("a.jpg")
        await anyio.Path(path).chmod(0)
        assert "has no right to read" in await refused(edit(at, path))


async def test_a_photo_that_is_not_there_is_named(desk):
    async with desk().open() as at:
        at.photo("fox.jpg")
        text = await refused(edit(at, str(at.photos / "fix.jpg")))
        assert text.startswith("bad_argument: ")
        assert "which is not there" in text
