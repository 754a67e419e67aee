"""A folder becomes a session: all four kinds, over a real socket."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

GRID = """
kind = "grid"
size = "1024x1024"
prompts = ["ID photo of a {gender}", "ID photo of a {gender}, grey jacket"]
crop = false
common = ["background.jpg"]
[variables.anna]
gender = "woman"
[variables.bert]
gender = "man"
[labels]
bert = "Bert, slim"
"""
GRID_PHOTOS = {
    "background.jpg": None,
    "groups/anna/1.jpg": None,
    "groups/anna/2.jpg": None,
    "groups/bert/1.jpg": None,
}


def one_session(program) -> Path:
    (session,) = program.sessions()
    return session


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_text_becomes_a_picture(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    folder = job_folder("fox", 'kind = "t2i"\nprompt = "a red fox"\nsize = "1024x1024"\n')

    done = run("run", folder, "--json")

    assert done.code == 0, done.err
    result = done.json
    assert (result["state"], result["shots"], result["saved"], result["pictures"]) == (
        "done",
        1,
        1,
        1,
    )
    assert result["cost_usd"] == 0.03
    session = one_session(run)
    assert session.name.endswith("_a_red_fox_t2i")
    with Image.open(session / "01.jpg") as picture:
        assert picture.size == (1024, 1024)
    assert len(service.bill()) == 1
    metadata = json.loads((session / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["prompt"] == "a red fox"
    assert metadata["num_images"] == 1
    assert metadata["sizes"] == ["1024x1024"]


def test_the_folder_is_left_as_it_is(emulator, program, job_folder) -> None:
    run = program(emulator().base_url)
    folder = job_folder("fox", 'kind = "i2i"\nprompt = "a red fox"\n', {"a.jpg": None})
    before = {path: (path.stat().st_mtime_ns, sha(path)) for path in folder.iterdir()}

    assert run("run", folder).code == 0

    assert {path: (path.stat().st_mtime_ns, sha(path)) for path in folder.iterdir()} == before


def test_references_are_sent_byte_for_byte_in_their_order(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    photos = {"photos/10.jpg": None, "photos/2.jpg": None, "photos/1.jpg": None}
    folder = job_folder("edit", 'kind = "i2i"\nprompt = "all together"\n', photos)

    assert run("run", folder).code == 0

    (paid,) = service.bill()
    assert paid["photos"] == [
        sha(folder / "photos" / name) for name in ("1.jpg", "2.jpg", "10.jpg")
    ]
    session = one_session(run)
    sent = sorted((session / "references").iterdir())
    assert [sha(path) for path in sent] == paid["photos"]


def test_a_set_becomes_as_many_pictures_as_came(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    job = (
        'kind = "t2i"\nprompt = "a series of 3 pictures of a fox"\ncount = 4\nsize = "1024x1024"\n'
    )

    done = run("run", job_folder("set", job), "--json")

    assert done.code == 0, done.err
    assert done.json["pictures"] == 3
    assert done.json["cost_usd"] == 0.09
    assert [path.name for path in sorted(one_session(run).glob("*.jpg"))] == [
        "01.jpg",
        "02.jpg",
        "03.jpg",
    ]


def test_bulk_keeps_the_names_of_the_photos(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    names = ["a.jpg", "two words.jpg", "-dash.jpg", "사진.jpg", "😀.jpg", "x" * 251 + ".jpg"]
    job = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'

    done = run("run", job_folder("shoot", job, dict.fromkeys(names)), "--json")

    assert done.code == 0, done.err
    session = one_session(run)
    assert sorted(path.name for path in session.glob("*.jpg")) == sorted(names)
    assert len(service.bill()) == len(names)


def test_a_grid_becomes_a_table_of_cells(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    folder = job_folder("ids", GRID, GRID_PHOTOS)

    done = run("run", folder, "--json")

    assert done.code == 0, done.err
    session = one_session(run)
    assert sorted(path.name for path in (session / "cells").iterdir()) == [
        "r1_c1.jpg",
        "r1_c2.jpg",
        "r2_c1.jpg",
        "r2_c2.jpg",
    ]
    grid = json.loads((session / "grid.json").read_text(encoding="utf-8"))
    assert grid["group_names"] == ["anna", "Bert, slim"]
    assert grid["cells"]["2_2"]["prompt"] == "ID photo of a man, grey jacket"
    assert grid["cells"]["2_2"]["file"] == "cells/r2_c2.jpg"
    common = sha(folder / "background.jpg")
    assert all(row["photos"][0] == common for row in service.bill())


def test_pictures_are_saved_byte_for_byte(emulator, program, job_folder) -> None:
    import httpx

    service = emulator()
    run = program(service.base_url)
    run("run", job_folder("fox", 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'))

    (paid,) = service.bill()
    assert httpx.get(paid["url"]).content == (one_session(run) / "01.jpg").read_bytes()


def test_a_dry_run_sends_nothing_and_tells_the_price(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    folder = job_folder("ids", GRID, GRID_PHOTOS)

    done = run("run", folder, "--dry-run", "--json")

    assert done.code == 0, done.err
    assert done.json["price_usd"] == 0.12
    assert [shot["id"] for shot in done.json["shots"]] == ["r1_c1", "r1_c2", "r2_c1", "r2_c2"]
    assert service.bill() == []
    assert run.sessions() == []


@pytest.mark.parametrize("model", ["seedream-4-0-250828", "dola-seedream-5-0-pro-260628"])
def test_models_with_and_without_streaming_answer(emulator, program, job_folder, model) -> None:
    run = program(emulator().base_url)
    job = f'kind = "t2i"\nprompt = "a fox"\nmodel = "{model}"\nsize = "1024x1024"\n'

    assert run("run", job_folder("fox", job)).code == 0


def test_a_session_reloads_as_it_was_saved(emulator, program, job_folder) -> None:
    run = program(emulator().base_url)
    run("run", job_folder("ids", GRID, GRID_PHOTOS))
    (row,) = run("sessions", "--json").json["sessions"]

    shown = run("show", row["session"], "--json").json

    assert (row["kind"], row["pictures"], row["shots"], row["state"]) == ("grid", 4, 4, "done")
    assert row["complete"]
    assert shown["cells"].keys() == {"1_1", "1_2", "2_1", "2_2"}
    assert shown["failures"] == []


@pytest.mark.slow
def test_a_session_whose_photos_moved_goes_on_where_they_are_now(
    emulator, program, job_folder, tmp_path
) -> None:
    service = emulator(faults='[[fault]]\nfault = "moderation"\nmatch = {nth = 2}\n')
    run = program(service.base_url)
    job = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'
    folder = job_folder("shoot", job, dict.fromkeys(["photos/a.jpg", "photos/b.jpg"]))
    assert run("run", folder, MAX_PARALLEL="1").code == 1
    session = one_session(run).name
    moved = folder.rename(tmp_path / "elsewhere")

    lost = run("retry", session)
    found = run("retry", session, "--photos", moved)

    assert lost.code == 2
    assert "--photos" in lost.err
    assert found.code == 0, found.err
    assert len(service.bill()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("command", ["resume", pytest.param("retry", marks=pytest.mark.slow)])
def test_damaged_lines_of_a_journal_are_warned_of(emulator, program, job_folder, command) -> None:
    run = program(emulator().base_url)
    job = 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'
    assert run("run", job_folder("shoot", job)).code == 0
    session = one_session(run)
    journal = session / "journal-0001.jsonl"
    first, rest = journal.read_bytes().split(b"\n", 1)
    journal.write_bytes(first + b"\n" + b"damaged\n" * 7 + rest)

    done = run(command, session.name)

    assert done.code == 0, done.err
    assert done.err.count("journal-0001.jsonl:") == 5
    assert len(run("show", session.name, "--json").json["problems"]) == 7
    assert "problem: journal-0001.jsonl:2: skipped" in run("show", session.name).out


def test_a_result_host_that_is_no_host_name_is_told_before_anything_is_sent(
    emulator, program, job_folder
) -> None:
    service = emulator()
    run = program(service.base_url)
    folder = job_folder("fox", 'kind = "t2i"\nprompt = "a fox"\n')

    done = run("run", folder, RESULT_HOSTS="cdn.example.com, https://other.example/")

    assert done.code == 3
    assert done.err == (
        "seedream-daemon: RESULT_HOSTS is 'https://other.example/'; it must be the name of a host "
        "such as cdn.example.com, without https://, path or *; commas separate several "
        "(in the environment).\n"
    )
    assert service.bill() == []
