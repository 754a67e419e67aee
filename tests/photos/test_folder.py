import os
import socket
import unicodedata

import pytest

from seedream_daemon.photos.folder import look


def _write(path, content=b"12345"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_listing_covers_groups_and_leaves_out_what_a_drop_ignores(tmp_path):
    for name in ("job.toml", "a.jpg", "groups/kim/1.jpg", "groups/kim/raw/1.jpg", "~a.jpg"):
        _write(tmp_path / name)
    _write(tmp_path / ".git/config")
    _write(tmp_path / "__MACOSX/a.jpg")

    listing = look(tmp_path)

    names = [entry.name for entry in listing.entries]
    assert sorted(names) == [
        "a.jpg",
        "groups",
        "groups/kim",
        "groups/kim/1.jpg",
        "groups/kim/raw",
        "job.toml",
    ]
    assert listing.named("a.jpg")[0].size == 5
    assert [entry.name for entry in listing.inside("groups/kim")] == [
        "groups/kim/1.jpg",
        "groups/kim/raw",
    ]


def test_names_are_composed_and_paths_stay_as_on_disk(tmp_path):
    decomposed = unicodedata.normalize("NFD", "한글.jpg")
    _write(tmp_path / decomposed)

    listing = look(tmp_path)

    (entry,) = listing.entries
    assert entry.name == unicodedata.normalize("NFC", decomposed)
    assert listing.disk_path(entry).read_bytes() == b"12345"


def test_links_fifos_and_sockets_are_named_and_not_followed(tmp_path):
    _write(tmp_path / "elsewhere/secret.jpg")
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "groups").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(drop / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(drop / "s"))
        listing = look(drop)

    assert {entry.name: entry.kind for entry in listing.entries} == {
        "groups": "link",
        "pipe.jpg": "fifo",
        "s": "socket",
    }


def test_a_folder_that_a_job_names_is_listed_however_deep(tmp_path):
    _write(tmp_path / "a/b/c/d/1.jpg")
    assert not look(tmp_path).named("a/b/c/d/1.jpg")

    assert look(tmp_path, also=["a/b/c/d"]).named("a/b/c/d/1.jpg")
    assert look(tmp_path, also=["a/b/c/d/1.jpg"]).named("a/b/c/d/1.jpg")
    assert not look(tmp_path, also=["a/../../x", "a/b/none", "a/b/c/d/1.jpg/x"]).named("a/b/none")


def test_a_link_on_the_way_down_is_where_the_looking_ends(tmp_path):
    _write(tmp_path / "elsewhere/b/secret.jpg")
    drop = tmp_path / "drop"
    (drop / "1/2/3").mkdir(parents=True)
    (drop / "1/2/3/link").symlink_to(tmp_path / "elsewhere")

    listing = look(drop, also=["1/2/3/link/b/secret.jpg"])

    assert listing.named("1/2/3/link")[0].kind == "link"
    assert not listing.named("1/2/3/link/b/secret.jpg")


def test_an_absolute_path_is_listed_with_its_links_resolved(tmp_path):
    _write(tmp_path / "real/1.jpg")
    (tmp_path / "way").symlink_to(tmp_path / "real")
    drop = tmp_path / "drop"
    drop.mkdir()

    listing = look(drop, also=[f"{tmp_path}/way/1.jpg", f"{tmp_path}/real", f"{tmp_path}/none"])

    assert listing.named(f"{tmp_path}/way/1.jpg")[0].path == f"{tmp_path}/real/1.jpg"
    assert listing.named(f"{tmp_path}/real/1.jpg")
    assert not listing.named(f"{tmp_path}/none")


def test_a_folder_that_cannot_be_read_says_why(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads every folder")
    closed = tmp_path / "groups"
    closed.mkdir()
    closed.chmod(0)

    assert look(tmp_path).named("groups")[0].trouble == "Permission denied"


def test_looking_at_nothing_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        look(tmp_path / "none")
