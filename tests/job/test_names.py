import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.job.names import (
    cut,
    fold,
    is_ignored,
    is_photo_name,
    natural_key,
    nfc,
    picture_stems,
    snippet,
)

file_names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=60
).map(lambda stem: f"{stem}.jpg")


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        (".DS_Store", True),
        (".ready", True),
        ("~$photo.jpg", True),
        ("a.jpg.part", True),
        ("a.jpg.PARTIAL", True),
        ("a.crdownload", True),
        ("a.filepart", True),
        ("a.tmp", True),
        (".syncthing.a.jpg.tmp", True),
        ("Thumbs.db", True),
        ("desktop.ini", True),
        ("@eaDir", True),
        (".stfolder", True),
        ("__MACOSX", True),
        ("_a.jpg", False),
        ("-a.jpg", False),
        ("party.jpg", False),
        ("READY", False),
    ],
)
def test_these_names_are_none_of_our_business(name, ignored):
    assert is_ignored(name) is ignored


@pytest.mark.parametrize(
    ("name", "photo"),
    [("a.JPG", True), ("x/b.heif", True), ("c.gif", False), (".jpg", False), ("jpg", False)],
)
def test_photos_are_known_by_their_extension(name, photo):
    assert is_photo_name(name) is photo


def test_digit_runs_sort_by_value_and_case_does_not_count():
    names = ["b10.jpg", "B2.jpg", "a/10.jpg", "a/9.jpg", "b2.jpg", "가.jpg", "01.jpg", "1.jpg"]

    assert sorted(names, key=natural_key) == [
        "01.jpg",
        "1.jpg",
        "a/9.jpg",
        "a/10.jpg",
        "B2.jpg",
        "b2.jpg",
        "b10.jpg",
        "가.jpg",
    ]


@given(st.lists(st.text(), max_size=5))
def test_any_names_can_be_sorted(names):
    assert len(sorted(names, key=natural_key)) == len(names)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("ID photo of a korean {gender}, grey", "ID_photo_of_a_korean_gender_grey"),
        ("  a fox!  ", "a_fox"),
        ("", "job"),
        ("?! 🦊", "job"),
        ("../../etc", "etc"),
        (unicodedata.normalize("NFD", "증명사진"), "증명사진"),
        ("a" * 50, "a" * 40),
        ("한" * 50, "한" * 40),
        ("𠮷" * 50, "𠮷" * 30),
        ("a" * 39 + " b", "a" * 39),
        ("e\u0301te\u0301 20", "été_20"),
    ],
)
def test_a_snippet_recalls_the_prompt(prompt, words):
    assert snippet(prompt) == words


@given(st.text())
def test_a_snippet_can_always_name_a_folder(prompt):
    words = snippet(prompt)

    assert 1 <= len(words) <= 40
    assert len(words.encode()) <= 120
    assert not set(words) & set("/\\{}. \0")


@pytest.mark.parametrize(
    ("photos", "stems"),
    [
        (["a.jpg", "b.png"], ["a", "b"]),
        (["photos/a.jpg"], ["a"]),
        (["a.jpg", "a.heic", "b.jpg"], ["a_jpg", "a_heic", "b"]),
        (["a.jpg", "A.png"], ["a_jpg", "A_png"]),
        (["a.jpg", "A.jpg"], ["a_jpg", "A_jpg-2"]),
        (["x/a.jpg", "y/a.jpg"], ["a_jpg", "a_jpg-2"]),
        (["a.jpg", "a.png", "a_jpg.webp"], ["a_jpg", "a_png", "a_jpg-2"]),
        (["-a.jpg", "a b.jpg", "🦊.jpg", "a.b.jpg"], ["-a", "a b", "🦊", "a.b"]),
        (["s" * 251 + ".jpg"], ["s" * 251]),
        (["s" * 250 + ".heic"], ["s" * 250]),
        (["s" * 251 + ".jpg", "s" * 251 + ".png"], ["s" * 247 + "_jpg", "s" * 247 + "_png"]),
    ],
)
def test_colliding_stems_take_their_extension(photos, stems):
    assert list(picture_stems(photos, count=1)) == stems


def test_with_several_pictures_a_stem_keeps_clear_of_the_numbers_of_another():
    assert picture_stems(["a.jpg", "a_2.jpg"], count=1) == ("a", "a_2")
    assert picture_stems(["a.jpg", "a_2.jpg"], count=2) == ("a_jpg", "a_2_jpg")


@given(st.lists(file_names, unique=True, max_size=8), st.integers(1, 15))
def test_no_two_pictures_share_a_name_and_each_fits_the_file_system(photos, count):
    stems = picture_stems(photos, count=count)
    files = list(stems) + [f"{s}_{n}" for s in stems for n in range(2, count + 1)]

    assert len({fold(file) for file in files}) == len(photos) * count
    assert all(len(f"{file}.jpg".encode()) <= 255 for file in files)


@given(st.text(), st.integers(0, 20))
def test_cutting_keeps_a_start_of_whole_characters(text, room):
    short = cut(text, max_bytes=room)

    assert text.startswith(short)
    assert len(short.encode()) <= room


@given(st.text())
def test_folding_twice_changes_nothing(name):
    assert fold(fold(name)) == fold(name)
    assert nfc(nfc(name)) == nfc(name)
