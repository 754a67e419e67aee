import errno
import io
from pathlib import Path

import pytest
from PIL import Image

from seedream_daemon.session.dimensions import dimensions
from seedream_daemon.session.pictures import PictureName, borrow, publish, withdraw

NAME = PictureName(kind="bulk", stem="a", number=1)


def no_links(_source: Path, _target: Path) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def place(tmp_path: Path, content: bytes, link=no_links):
    draft = tmp_path / ".draft"
    draft.write_bytes(content)
    return publish(draft, tmp_path, NAME, is_known=lambda _: False, link=link)


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


def test_without_links_a_picture_is_placed_and_replaces_nothing(tmp_path, picture):
    (tmp_path / "a.jpg").write_bytes(b"mine")
    kept = place(tmp_path, picture(1))
    assert kept.file == "a-2.jpg"
    assert names(tmp_path) == ["a-2.jpg", "a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"mine"


def test_without_links_what_a_crash_left_is_used(tmp_path, picture):
    (tmp_path / "a.jpg").touch()
    assert place(tmp_path, picture(1)).file == "a.jpg"
    assert place(tmp_path, picture(1)).file == "a.jpg"
    assert (tmp_path / "a.jpg").read_bytes() == picture(1)


def test_a_link_that_fails_for_another_reason_is_told(tmp_path, picture):
    def full(_source: Path, _target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        place(tmp_path, picture(1), full)
    assert names(tmp_path) == [".draft"]


@pytest.mark.parametrize("link", [no_links, None])
def test_a_picture_that_could_not_be_journaled_is_a_draft_again(tmp_path, picture, link):
    kept = place(tmp_path, picture(1), *([link] if link else [lambda a, b: b.hardlink_to(a)]))
    withdraw(tmp_path / ".draft", kept.path)
    assert names(tmp_path) == [".draft"]
    assert (tmp_path / ".draft").read_bytes() == picture(1)


def test_what_was_there_before_is_not_withdrawn(tmp_path, picture):
    (tmp_path / "a.jpg").write_bytes(picture(1))
    kept = place(tmp_path, picture(1))
    withdraw(tmp_path / ".draft", kept.path)
    assert names(tmp_path) == [".draft", "a.jpg"]


def test_without_links_a_picture_is_borrowed_as_a_copy(tmp_path, picture):
    (tmp_path / "a.jpg").write_bytes(picture(1))
    borrow(tmp_path / "a.jpg", tmp_path / "b", no_links)
    assert (tmp_path / "b").read_bytes() == picture(1)
    assert not (tmp_path / "b").samefile(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
    ],
)
def test_sides_are_read_from_the_header(tmp_path, image_format, options):
    file = io.BytesIO()
    Image.new("RGB", (301, 173), "red").save(file, image_format, **options)
    (tmp_path / "p").write_bytes(file.getvalue())
    assert dimensions(tmp_path / "p", image_format.lower()) == (301, 173)
    (tmp_path / "p").write_bytes(file.getvalue()[:20])
    assert dimensions(tmp_path / "p", image_format.lower()) is None
    assert dimensions(tmp_path / "p", "heic") is None
