import pytest

from seedream_daemon.session import layout


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("journal-0001.jsonl", 1),
        ("journal-12345.jsonl", 12345),
        ("journal-1.jsonl", None),
        ("xjournal-0001.jsonl", None),
    ],
)
def test_a_journals_number_is_in_its_name(name, number):
    assert layout.journal_number(name) == number
    assert number is None or layout.journal_name(number) == name


@pytest.mark.parametrize(
    ("folder", "created"),
    [
        ("2025-09-12_14-30-12_a_cat_t2i", "2025-09-12_14-30-12"),
        ("2025-09-12_14-30-12", "2025-09-12_14-30-12"),
        ("2025-09-12_14-30-123", None),
        ("my 2025-09-12_14-30-12_x", None),
    ],
)
def test_the_time_of_a_session_is_in_its_name(folder, created):
    assert layout.stamp_of(folder) == created


def test_names_with_every_ending_fit_a_file_system():
    for nth in (1, 2, 100):
        for number in (1, 15):
            name = layout.picture_file("bulk", "사" * 100, number, "webp", nth)
            assert len(name.encode()) <= 255
            assert name.endswith((".webp", "_15.webp", f"-{nth}.webp"))
    deep = layout.picture_file("grid", "cells/r10_c10", 2, "jpg")
    assert deep == "cells/r10_c10_2.jpg"


@pytest.mark.parametrize(
    ("group", "folder"),
    [("man", "refs/man"), ("a/b", "refs/a_b"), ("..", "refs/_."), (".x", "refs/_x")],
)
def test_a_groups_thumbnails_stay_in_their_folder(group, folder):
    assert layout.thumbnail_folder(group) == folder
    assert layout.thumbnail_file(group, 3) == f"{folder}/03.jpg"


def test_drafts_have_names_of_their_own_whatever_the_shot_is_called():
    names = {
        layout.draft_name(shot, n)
        for shot in ("a", "a 1", "r1_c1", "x" * 255, "\udcff")
        for n in (1, 2, 11)
    }
    assert len(names) == 15
    assert all(len(name) < 64 for name in names)
