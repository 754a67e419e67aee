"""Wrong folders, wrong settings, wrong disks: each is told exactly, and nothing is sent."""

import io
import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

T2I = 'kind = "t2i"\nprompt = "a fox"\n'
I2I = 'kind = "i2i"\nprompt = "retouch"\nsize = "1024x1024"\n'
BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'
GRID = 'kind = "grid"\nprompts = ["a {gender}"]\ncrop = false\nsize = "1024x1024"\n'
GOOD = None  # a photo that nothing is wrong with


def jpeg(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, height), 90).save(stream, "JPEG", quality=30)
    return stream.getvalue()


PHOTO = jpeg(640, 480)
BAD_PHOTOS = {
    "empty.jpg": (b"", "is empty; copy it again"),
    "short.jpg": (
        PHOTO[:-9],
        f"is cut short (it ends after {len(PHOTO) - 9:,} bytes); copy it again",
    ),
    "text.jpg": (
        b"Dear customer, here are your photos. " * 9,
        "is a text file, not a photo; save it as JPEG, PNG, WebP or HEIC",
    ),
    "heavy.jpg": (
        PHOTO.ljust(10_100_000, b"\0"),
        ('is 10.10 MB, over the 10 MB of MAX_INPUT_MB; save it smaller or set oversize = "shrink"'),
    ),
    "huge.jpg": (
        jpeg(8000, 5000),
        (
            "is 8000 x 5000 pixels (40.0 megapixels), over the 36 megapixels that are taken; "
            'save it smaller or set oversize = "shrink"'
        ),
    ),
    "strip.jpg": (
        jpeg(1700, 100),
        (
            "is 1700 x 100 pixels, but its long side may be at most 16 times its short side; "
            "cut it to a less narrow shape"
        ),
    ),
    "dot.jpg": (
        jpeg(14, 14),
        ("is 14 x 14 pixels, but each side must be longer than 14 pixels; use a larger photo"),
    ),
}


def genders(*groups: str) -> str:
    return "".join(f'[variables.{group}]\ngender = "woman"\n' for group in groups)


def groups(*names: str) -> dict[str, None]:
    return {f"groups/{name}/1.jpg": GOOD for name in names}


# What lies in a folder and what is wrong with it: job.toml, photos, mistakes.
CASES = {
    "an empty folder": (
        None,
        {},
        ["job.toml: the folder {folder} is empty; put photos and a job.toml into it"],
    ),
    "photos without job.toml": (
        None,
        {"a.jpg": GOOD},
        ["job.toml: there is none in {folder}; put one beside the photos"],
    ),
    "job.toml.txt": (
        None,
        {"job.toml.txt": BULK.encode(), "a.jpg": GOOD},
        [
            (
                "job.toml: there is none in {folder}, but a job.toml.txt; rename it to job.toml (in "
                "Windows, show file name extensions first)"
            )
        ],
    ),
    "broken TOML": (
        'kind = "t2i"\nprompt = "a fox\n',
        {},
        [
            (
                "job.toml:2: the file is not TOML: Illegal character '\\n' at column 16; a text on "
                "this line lacks its closing quote"
            )
        ],
    ),
    "a name in Korean without quotes": (
        T2I + '[variables]\n성별 = "여자"\n',
        {},
        [
            (
                "job.toml:4: the file is not TOML: Invalid statement at column 1; names in other "
                "letters than a-z stand in quotes"
            )
        ],
    ),
    "UTF-16": (
        T2I.encode("utf-16"),
        {},
        [
            (
                "job.toml: the file is saved as UTF-16. Save it as UTF-8 (Notepad: Save as, "
                "Encoding: UTF-8)."
            )
        ],
    ),
    "cp949": (
        'kind = "t2i"\nprompt = "여우"\n'.encode("cp949"),
        {},
        [
            (
                "job.toml:2: the file is not UTF-8 but looks like cp949. Save it as UTF-8 (Notepad: "
                "Save as, Encoding: UTF-8)."
            )
        ],
    ),
    "a link to a job.toml elsewhere": (
        None,
        {"job.toml": Path("/etc/passwd")},
        ["job.toml: this is a symbolic link; put the file itself there"],
    ),
    "a folder called job.toml": (
        None,
        {"job.toml/a.jpg": GOOD},
        ["job.toml: the file cannot be read: Is a directory"],
    ),
    "a film called job.toml": (
        b"#" * 300_000,
        {},
        ["job.toml: the file is 300,000 bytes long; at most 262,144 are read"],
    ),
    "wrong types": (
        'kind = "t2i"\nprompt = 5\ncount = "3"\nseed = "x"\n',
        {},
        [
            "job.toml:2: prompt must be a text, not 5",
            'job.toml:3: count must be a whole number from 1 to 15, not "3"',
            'job.toml:4: seed must be a whole number from -1 to 2147483647, not "x"',
        ],
    ),
    "an unknown key": (
        T2I + 'asepct = "3:4"\n',
        {},
        ['job.toml:3: there is no key "asepct"; did you mean "aspect"?'],
    ),
    "no photos": (
        I2I,
        {},
        [
            (
                "job.toml: there are no photos: none lies beside job.toml or in a folder photos (jpg, "
                "jpeg, png, webp, heic, heif)"
            )
        ],
    ),
    "bad photos in i2i": (
        I2I,
        {name: content for name, (content, _) in BAD_PHOTOS.items()},
        [f"{name}: the photo {BAD_PHOTOS[name][1]}" for name in sorted(BAD_PHOTOS)],
    ),
    "a bad photo in a strict bulk": (
        BULK + 'on_bad_photo = "fail"\n',
        {"a.jpg": GOOD, "b.jpg": b""},
        ["b.jpg: the photo is empty; copy it again"],
    ),
    "a bad common photo and a bad one of a group": (
        GRID + genders("anna"),
        {"common/1.jpg": b"", "groups/anna/1.jpg": b""},
        [
            "common/1.jpg: the photo is empty; copy it again",
            "groups/anna/1.jpg: the photo is empty; copy it again",
        ],
    ),
    "eleven photos in i2i": (
        I2I,
        dict.fromkeys((f"{number}.jpg" for number in range(11)), GOOD),
        [
            (
                "job.toml: there are 11 photos, and Seedream 4.0 takes at most 10 in a request; take some "
                "away, or name those you mean in photos"
            )
        ],
    ),
    "eleven groups": (
        GRID + genders(*"abcdefghijk"),
        groups(*"abcdefghijk"),
        [
            (
                "job.toml: a grid takes at most 10 groups; there are 11: a, b, c, d, e, f, g, h, i, "
                "j, k; take some away, or move them into a second job"
            )
        ],
    ),
    "a group without photos": (
        GRID + genders("anna", "bert"),
        {**groups("anna"), "groups/bert/note.txt": b"photos follow"},
        ["job.toml: group bert holds no photos; put some into its folder, or take the group away"],
    ),
    "a variable missing": (
        GRID + genders("anna"),
        groups("anna", "bert b"),
        [
            (
                "job.toml:2: group bert b has no value for {gender}, which prompts[1] needs; put "
                'gender = "..." under [variables."bert b"]'
            )
        ],
    ),
    "mistakes of every sort": (
        GRID
        + 'cropp = true\npreset = "9K"\ncount = "2"\ncommon = ["logo.png", 3]\n'
        + "[variables.anna]\ngender = [1]\nage = 3\n",
        groups("anna", "bert"),
        [
            (
                "job.toml:2: group bert has no value for {gender}, which prompts[1] needs; put "
                'gender = "..." under [variables.bert]'
            ),
            "job.toml:4: size stands alone: take away aspect and preset, or size",
            'job.toml:5: there is no key "cropp"; did you mean "crop"?',
            'job.toml:6: preset "9K" is not one of Seedream 4.0: it takes 1K, 2K, 4K',
            'job.toml:7: count must be a whole number from 1 to 15, not "2"',
            "job.toml:8: common[2] must be the name of a photo, not 3",
            'job.toml:8: common[1] names "logo.png", which is not there',
            "job.toml:10: variables.anna.gender must be a text or a number, not [1]",
            (
                "job.toml:11: variables.anna.age is used by no prompt; take it away, or write {age} "
                "into one"
            ),
        ],
    ),
    "a variable unused": (
        GRID + genders("anna") + "age = 3\n" + genders("ana"),
        groups("anna"),
        [
            (
                "job.toml:7: variables.anna.age is used by no prompt; take it away, or write {age} "
                "into one"
            ),
            (
                'job.toml:8: variables.ana is for a group "ana", and there is none; did you mean '
                '"anna"?'
            ),
        ],
    ),
    "a brace never closed": (
        'kind = "t2i"\nprompt = "a {gender fox"\n',
        {},
        [
            (
                'job.toml:2: in prompt, the "{" at character 3 is never closed; write "{{" for a brace '
                "itself"
            )
        ],
    ),
    "a size that the model does not make": (
        T2I + 'size = "5000x5000"\n',
        {},
        [
            (
                "job.toml:3: size 5000x5000 has 25,000,000 pixels, and Seedream 4.0 takes 921,600 to "
                '16,777,216; the nearest that works is aspect = "1:1" with preset = "4K" (4096x4096)'
            )
        ],
    ),
    "A4 at 1K of a model without 1K": (
        T2I + 'model = "seedream-4-5-251128"\naspect = "210:297"\npreset = "1K"\n',
        {},
        ['job.toml:5: preset "1K" is not one of Seedream 4.5: it takes 2K, 4K'],
    ),
    "A4 by its name": (
        T2I + 'aspect = "A4"\npreset = "1K"\n',
        {},
        ['job.toml:3: aspect must be width:height, such as "3:4", not "A4"; A4 is "210:297"'],
    ),
    "a link instead of a photo": (
        I2I,
        {"a.jpg": GOOD, "b.jpg": Path("/etc/hostname")},
        ["b.jpg: this is a symbolic link; put the file itself there"],
    ),
    "photos outside of the folder": (
        I2I + 'photos = "../other"\n',
        {"a.jpg": GOOD},
        [
            'job.toml:4: photos names "../other", which leads out of its folder; write it without ".."'
        ],
    ),
    "a photo that is not there": (
        I2I + 'photos = ["IMG_01.jpg"]\n',
        {"IMG_1.jpg": GOOD},
        ['job.toml:4: photos[1] names "IMG_01.jpg", which is not there; did you mean "IMG_1.jpg"?'],
    ),
}


@pytest.fixture
def wrong_folder(job_folder):
    """Write one of CASES; gives the folder and what must be said about it."""

    def make(case: str) -> tuple[Path, list[str]]:
        job, photos, mistakes = CASES[case]
        links = {name: to for name, to in photos.items() if isinstance(to, Path)}
        files = {
            name: PHOTO if content is GOOD else content
            for name, content in photos.items()
            if name not in links
        }
        folder = job_folder(case, None, files)
        for name, to in links.items():
            (folder / name).symlink_to(to)
        if job is not None:
            (folder / "job.toml").write_bytes(job if isinstance(job, bytes) else job.encode())
        return folder, [mistake.replace("{folder}", str(folder)) for mistake in mistakes]

    return make


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_run_names_every_mistake_and_sends_nothing(
    counting_service, program, wrong_folder, case
) -> None:
    run = program(counting_service.base_url)
    folder, mistakes = wrong_folder(case)

    done = run("run", folder)

    many = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    said = [f"seedream-daemon: The job has {many}; nothing was sent."]
    assert done.err.splitlines() == said + [f"  {mistake}" for mistake in mistakes]
    assert done.out == ""
    assert done.code == 2
    assert counting_service.requests == []
    assert run.sessions() == []


def test_check_names_the_same_mistakes_of_all_folders(
    counting_service, program, wrong_folder
) -> None:
    run = program(counting_service.base_url)
    wrong = [wrong_folder(case) for case in CASES]

    done = run("check", *(folder for folder, _ in wrong), "--json")

    checks = done.json["checks"]
    assert [check["folder"] for check in checks] == [str(folder) for folder, _ in wrong]
    assert not any(check["ok"] for check in checks)
    assert [[line_of(row) for row in check["problems"]] for check in checks] == [
        mistakes for _, mistakes in wrong
    ]
    assert done.code == 2
    assert counting_service.requests == []


def test_a_pipe_called_job_toml_is_refused_and_not_waited_for(program, job_folder) -> None:
    folder = job_folder("pipe", None)
    os.mkfifo(folder / "job.toml")

    done = program("http://127.0.0.1:9/api/v3")("check", folder, timeout=20)

    assert done.out.splitlines()[1:] == [
        "Mistake: job.toml: this is no file; put a text file there"
    ]


def line_of(row: dict) -> str:
    place = row["file"] if row["line"] is None else f"{row['file']}:{row['line']}"
    return f"{place}: {row['message']}"


def test_a_person_is_told_the_folder_and_each_mistake_on_its_line(
    counting_service, program, wrong_folder
) -> None:
    folder, (first, second) = wrong_folder("a variable unused")

    done = program(counting_service.base_url)("check", folder)

    assert done.out.splitlines() == [
        f"{folder}: cannot be run as it stands",
        f"Mistake: {first}",
        f"Mistake: {second}",
    ]


def test_bad_photos_of_a_bulk_fail_alone_and_are_not_sent(
    counting_service, program, job_folder
) -> None:
    run = program(counting_service.base_url)
    folder = job_folder("shoot", BULK, {name: content for name, (content, _) in BAD_PHOTOS.items()})

    checked = run("check", folder, "--json")
    done = run("run", folder, "--json")

    names = sorted(BAD_PHOTOS)
    assert checked.code == 1
    assert [line_of(row) for row in checked.json["problems"]] == [
        f"{name}: the photo {BAD_PHOTOS[name][1]}" for name in names
    ]
    assert done.code == 1
    assert [
        (row["shot"], row["code"], row["message"], row["retryable"])
        for row in done.json["failures"]
    ] == [(name, "bad_photo", f"{name} {BAD_PHOTOS[name][1]}.", False) for name in names]
    assert done.json["cost_usd"] == 0
    assert counting_service.requests == []


def test_a_missing_key_is_told_in_one_paragraph(program, job_folder) -> None:
    run = program("https://ark.example.invalid/api/v3")

    done = run("run", job_folder("fox", T2I))

    assert done.code == 3
    assert done.err == (
        "seedream-daemon: ARK_API_KEY is not set. Put the key of your BytePlus ModelArk account "
        "into env.local (see env.example), or name a file that holds it with ARK_API_KEY_FILE.\n"
    )
    assert run.sessions() == []


def test_a_refused_key_costs_one_request_however_many_shots_wait(
    counting_service, program, job_folder
) -> None:
    run = program(counting_service.base_url)
    folder = job_folder("shoot", BULK, dict.fromkeys((f"{n}.jpg" for n in range(10)), PHOTO))

    done = run("run", folder, "--json", ARK_API_KEY="wrong", MAX_PARALLEL="8")

    assert len(counting_service.requests) == 1
    assert done.code == 5
    assert done.json["state"] == "paused"
    assert done.json["reason"].startswith(
        "The service does not accept the API key. Set ARK_API_KEY to a key of the same region and "
        "service as ARK_BASE_URL."
    )
    assert "wrong" not in done.err


@pytest.mark.slow
def test_a_session_of_a_refused_key_is_completed_with_the_right_one(
    emulator, program, job_folder
) -> None:
    service = emulator("--key", "good")
    run = program(service.base_url)
    folder = job_folder("shoot", BULK, dict.fromkeys((f"{n}.jpg" for n in range(10)), PHOTO))
    refused = run("run", folder, "--json", ARK_API_KEY="bad")
    assert (refused.code, service.bill()) == (5, [])

    done = run("resume", refused.json["session"], "--json", ARK_API_KEY="good")

    assert done.code == 0, done.err
    assert done.json["state"] == "done"
    assert done.json["session"] == refused.json["session"]
    assert len(service.bill()) == 10


@pytest.mark.parametrize("name", ["OUTPUT_BASE_DIR", "STATE_DIR"])
def test_a_file_where_a_folder_should_be_is_told(
    counting_service, program, job_folder, name
) -> None:
    run = program(counting_service.base_url)
    file = run.home / "notes"
    file.write_bytes(b"")

    done = run("run", job_folder("fox", T2I), **{name: str(file)})

    assert done.code == 3
    begin = {
        "OUTPUT_BASE_DIR": f"No session can be written into OUTPUT_BASE_DIR {file}",
        "STATE_DIR": f"STATE_DIR {file} cannot be made",
    }[name]
    assert done.err.startswith(
        f"seedream-daemon: {begin}: a file lies where the folder should be. Name a folder that "
    )
    assert counting_service.requests == []


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="`unshare -rm` cannot mount a tmpfs here")


def run_on_disk(run, folder: Path, options: str, job: Path, **env: str):
    """Run a job while `folder` is a disk of its own."""
    folder.mkdir(exist_ok=True)
    script = f'mount -t tmpfs -o {options} tmpfs "$1" && shift && exec "$@"'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(folder), *run._command(("run", job))],
        cwd=run.home,
        env={**run.env, **env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


DISKS = {
    ("ro", "OUTPUT_BASE_DIR"): (
        "No session can be written into OUTPUT_BASE_DIR {disk}: Read-only file system. Name a "
        "folder that this user may write to; nothing was sent."
    ),
    ("ro", "STATE_DIR"): (
        "STATE_DIR {disk} cannot be written to. Name a folder that you may write to; nothing was "
        "sent."
    ),
    ("size=64k", "OUTPUT_BASE_DIR"): (
        "The disk of {disk} is nearly full: 0.1 MB are free and 5.0 MB are needed. Make room and "
        "start again; nothing was sent."
    ),
    ("size=64k", "STATE_DIR"): (
        "The disk of {disk} is nearly full: 0.1 MB are free and 4.0 MB are needed. Make room and "
        "start again; nothing was sent."
    ),
}


@needs_mounts
@pytest.mark.parametrize(
    "kind",
    [*list(DISKS)[:1], *(pytest.param(one, marks=pytest.mark.slow) for one in list(DISKS)[1:])],
)
def test_a_disk_that_takes_nothing_is_told_before_anything_is_sent(
    counting_service, program, job_folder, kind
) -> None:
    options, name = kind
    run = program(counting_service.base_url)
    disk = run.home / "disk"
    job = job_folder("fox", T2I + 'size = "1024x1024"\n')

    done = run_on_disk(run, disk, options, job, **{name: str(disk)})

    assert done.stderr == f"seedream-daemon: {DISKS[kind].format(disk=disk)}\n"
    assert done.returncode == 3
    assert counting_service.requests == []
    assert run.sessions() == []


@needs_mounts
def test_a_disk_that_fills_up_holds_a_run_back_once_until_there_is_room(
    emulator, program, job_folder
) -> None:
    service = emulator("--latency", "0.3")
    run = program(service.base_url)
    disk = run.home / "disk"
    job = job_folder("shoot", BULK, dict.fromkeys((f"{n}.jpg" for n in range(3)), PHOTO))

    # Room for one shot at a time: the others wait until it is saved.
    done = run_on_disk(run, disk, "size=5800k", job, OUTPUT_BASE_DIR=str(disk))

    assert done.returncode == 0, done.stderr
    assert len(service.bill()) == 3
    said = [line.partition("] ")[2] for line in done.stderr.splitlines()]
    pauses = [number for number, line in enumerate(said) if line.startswith("Paused: The disk of")]
    assert pauses
    assert all("Going on." in said[one:after] for one, after in pairwise(pauses))
