"""What people's phones make, and what is sent of it."""

import hashlib
import io
import json
import os
import signal
import struct
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageStat
from skimage import data

BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'
I2I = 'kind = "i2i"\nprompt = "her, in oil"\nsize = "1024x1024"\n'
GRID = 'kind = "grid"\nsize = "1024x1024"\n'
PERSON = Image.fromarray(data.astronaut())


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def encoded(image: Image.Image, kind: str = "JPEG", **more) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **{"quality": 88, **more})
    return stream.getvalue()


def heic(image: Image.Image, *, orientation: int = 1, burst: int = 0) -> bytes:
    """A HEIC as a phone writes it; of a burst, `image` is the first."""
    file = pillow_heif.from_pillow(image)
    file[0].info["exif"] = turned(orientation)
    for shade in range(burst):
        file.add_from_pillow(Image.new("RGB", image.size, (shade, 0, 0)))
    stream = io.BytesIO()
    file.save(stream, quality=80)
    return stream.getvalue()


def lying(image: Image.Image) -> Image.Image:
    """What a phone stores with EXIF orientation 6."""
    return image.transpose(Image.Transpose.ROTATE_90)


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 30000 x 30000 pixels."""
    header = b"IHDR" + struct.pack(">2I5B", 30000, 30000, 8, 2, 0, 0, 0)
    ihdr = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + ihdr + end


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def far_apart(one: Image.Image, other: Image.Image) -> float:
    difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    return max(ImageStat.Stat(difference).mean)


def events(session: Path, name: str) -> list[dict]:
    lines = [
        json.loads(line)
        for journal in sorted(session.glob("journal-*.jsonl"))
        for line in journal.read_bytes().splitlines()
    ]
    return [line for line in lines if line["event"] == name]


def prepared(session: Path) -> dict[str, dict]:
    return {row["photo"]: row for row in events(session, "prepare_end")}


def grid_of(session: Path) -> dict:
    return json.loads((session / "grid.json").read_text(encoding="utf-8"))


def turns(checked) -> list[str]:
    return [warning for warning in checked.json["warnings"] if "EXIF" in warning]


def sent(service) -> set[str]:
    return {sha256 for row in service.bill() for sha256 in row["photos"]}


# i2i and bulk ----------------------------------------------------------------------------------

WIDE = PERSON.crop((0, 0, 512, 400))
AS_THEY_ARE = {
    "turned.jpg": encoded(lying(WIDE), exif=turned(6)),
    "16 bits.png": encoded(Image.fromarray(np.full((90, 90), 40_000, np.uint16)), "PNG"),
    "press.jpg": encoded(WIDE.convert("CMYK")),
    "logo.png": encoded(WIDE.quantize(16), "PNG", transparency=3),
    "film.webp": encoded(
        WIDE, "WEBP", save_all=True, append_images=[Image.new("RGB", WIDE.size)], duration=90
    ),
    "broken turn.jpg": encoded(WIDE, exif=turned(77)),
    "IMG_7.jpg": encoded(WIDE),
    "really a jpeg.png": encoded(WIDE),
}
MADE_ANEW = {"IMG_7.HEIC": heic(lying(WIDE), orientation=6), "burst.heif": heic(WIDE, burst=2)}
REFUSED = {
    "cut.heic": (heic(WIDE)[:-500], "is cut short"),
    "line.png": (encoded(Image.new("RGB", (1, 5000)), "PNG"), "longer than 14 pixels"),
    "bomb.png": (bomb(), "over the 36 megapixels"),
}


@pytest.mark.slow
def test_a_bulk_sends_what_people_have(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    bad = {name: content for name, (content, _) in REFUSED.items()}
    folder = job_folder("shoot", BULK, AS_THEY_ARE | MADE_ANEW | bad)

    checked = run("check", folder, "--json")
    done = run("run", folder, "--json")

    assert checked.code == 1
    assert [row["file"] for row in checked.json["problems"]] == sorted(REFUSED)
    (warning,) = turns(checked)
    assert warning.startswith("turned.jpg is turned by its EXIF orientation (6)")
    assert done.code == 1, done.err
    failures = {row["name"]: row["message"] for row in done.json["failures"]}
    assert failures.keys() == REFUSED.keys()
    assert all(REFUSED[name][1] in message for name, message in failures.items())
    session = Path(done.json["session_path"])
    # A name may end in capitals; pictures have small ones.
    assert {"IMG_7_HEIC.jpg", "IMG_7_jpg.jpg"} <= {path.name for path in session.iterdir()}
    made = prepared(session)
    assert made.keys() == MADE_ANEW.keys()
    assert {(row["width"], row["height"], row["crop"]) for row in made.values()} == {
        (512, 400, None)
    }
    as_they_are = {sha(content) for content in AS_THEY_ARE.values()}
    assert sent(service) == as_they_are | {row["sha256"] for row in made.values()}


@pytest.mark.slow
def test_turned_and_large_photos_are_made_anew_where_the_job_says_so(
    emulator, program, job_folder
) -> None:
    service = emulator()
    run = program(service.base_url)
    heavy = encoded(noise(3300, 2500), quality=98)
    assert len(heavy) > 12_000_000
    photos = {
        "heavy.jpg": heavy,
        "large.jpg": encoded(Image.new("L", (8000, 5000), 90), exif=turned(6), quality=30),
        "small.jpg": encoded(WIDE),
        "turned.webp": encoded(lying(WIDE), "WEBP", exif=turned(6)),
    }
    folder = job_folder("shoot", BULK + 'oversize = "shrink"\nupright = true\n', photos)

    checked = run("check", folder, "--json")
    done = run("run", folder, "--json")

    assert (checked.code, turns(checked)) == (0, [])
    assert done.code == 0, done.err
    session = Path(done.json["session_path"])
    made = prepared(session)
    assert {name: (row["width"], row["height"]) for name, row in made.items()} == {
        "heavy.jpg": (2048, 1552),
        "large.jpg": (1280, 2048),
        "turned.webp": (512, 400),
    }
    assert all(row["bytes"] <= 10_000_000 for row in made.values())
    assert sent(service) == {sha(photos["small.jpg"])} | {row["sha256"] for row in made.values()}
    assert not (session / "prepared").exists()


@pytest.mark.slow
def test_a_lower_limit_binds_what_is_sent(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    photos = {"fine.heic": heic(WIDE), "heavy.jpg": encoded(noise(300, 200))}
    assert min(map(len, photos.values())) > 20_000

    done = run("run", job_folder("shoot", BULK, photos), "--json", MAX_INPUT_MB="0.02")

    assert done.code == 1, done.err
    (failure,) = done.json["failures"]
    assert (failure["name"], failure["code"]) == ("heavy.jpg", "bad_photo")
    assert "over the 0.02 MB of MAX_INPUT_MB" in failure["message"]
    (made,) = prepared(Path(done.json["session_path"])).values()
    assert made["bytes"] <= 20_000
    assert sent(service) == {made["sha256"]}


def test_references_hold_what_was_sent(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    photos = {
        "1.heic": heic(lying(WIDE), orientation=6),
        "2.jpg": AS_THEY_ARE["turned.jpg"],
        "3.webp": AS_THEY_ARE["film.webp"],
    }

    done = run("run", job_folder("oil", I2I, photos), "--json")

    assert done.code == 0, done.err
    references = sorted((Path(done.json["session_path"]) / "references").iterdir())
    assert [path.name for path in references] == ["01.jpg", "02.jpg", "03.webp"]
    (paid,) = service.bill()
    assert paid["photos"] == [sha(path.read_bytes()) for path in references]
    assert paid["photos"][1:] == [sha(photos["2.jpg"]), sha(photos["3.webp"])]
    with Image.open(references[0]) as upright:
        assert (upright.format, upright.size, "exif" in upright.info) == ("JPEG", (512, 400), False)
        assert far_apart(upright, WIDE) < 6


@pytest.mark.slow
def test_a_later_start_sends_what_the_photos_and_limits_are_now(
    emulator, program, job_folder
) -> None:
    service = emulator(faults='[[fault]]\nfault = "moderation"\nmatch = {nth = 1}\n')
    run = program(service.base_url)
    folder = job_folder("oil", I2I, {"1.heic": heic(noise(300, 200)), "2.jpg": encoded(WIDE)})

    first = run("run", folder, "--json")
    assert first.code == 1
    session = Path(first.json["session_path"])
    before = (session / "references" / "01.jpg").read_bytes()
    replaced = encoded(PERSON.resize((99, 99)))
    (folder / "2.jpg").write_bytes(replaced)
    done = run("retry", session.name, "--json", MAX_INPUT_MB="0.02")

    assert done.code == 0, done.err
    (paid,) = service.bill()
    references = sorted((session / "references").iterdir())
    assert paid["photos"] == [sha(path.read_bytes()) for path in references]
    assert references[1].read_bytes() == replaced
    assert len(before) > 20_000 >= references[0].stat().st_size
    assert not (session / "prepared").exists()


# Grid ------------------------------------------------------------------------------------------


def test_a_grid_cuts_every_person_the_same_way(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    run.home.joinpath("cropper_v2.py").write_text("raise SystemExit\n", encoding="utf-8")
    drawing = Image.linear_gradient("L").resize((600, 400)).convert("RGB")
    photos = {
        "common/room.heic": heic(drawing),
        "common/rug.jpg": AS_THEY_ARE["turned.jpg"],
        "groups/eileen/a.heic": heic(lying(PERSON), orientation=6),
        "groups/eileen/b.png": encoded(PERSON.crop((190, 0, 512, 322)), "PNG"),
        "groups/nobody/a.webp": encoded(drawing, "WEBP"),
    }
    folder = job_folder("ids", GRID + 'prompts = ["id photo", "in grey"]\n', photos)

    done = run("run", folder, "--json")

    assert done.code == 0, done.err
    assert "cropper_v2.py was found but CROPPER_PATH is not set" in " ".join(done.err.split())
    assert "groups/nobody/a.webp: no face was found" in done.err
    session = Path(done.json["session_path"])
    made = prepared(session)
    assert {name: (row["crop"], row["width"], row["height"]) for name, row in made.items()} == {
        "common/room.heic": (None, 600, 400),
        "groups/eileen/a.heic": ("face", 1024, 1024),
        "groups/eileen/b.png": ("corrected", 1024, 1024),
        "groups/nobody/a.webp": ("center", 1024, 1024),
    }
    common = [made["common/room.heic"]["sha256"], sha(photos["common/rug.jpg"])]
    eileen = [made[f"groups/eileen/{name}"]["sha256"] for name in ("a.heic", "b.png")]
    nobody = [made["groups/nobody/a.webp"]["sha256"]]
    assert Counter(tuple(row["photos"]) for row in service.bill()) == {
        (*common, *eileen): 2,
        (*common, *nobody): 2,
    }
    assert grid_of(session)["refs"] == {
        "1": {
            "group": "eileen",
            "files": ["refs/eileen/01.jpg", "refs/eileen/02.jpg"],
            "crops": {"01.jpg": "face", "02.jpg": "corrected"},
        },
        "2": {
            "group": "nobody",
            "files": ["refs/nobody/01.jpg"],
            "crops": {"01.jpg": "center"},
        },
    }
    with Image.open(session / "refs" / "eileen" / "01.jpg") as thumbnail:
        assert far_apart(thumbnail, PERSON) < 6
    with Image.open(session / "refs" / "nobody" / "01.jpg") as thumbnail:
        assert thumbnail.size == (512, 341)
    assert not (session / "prepared").exists()


@pytest.mark.slow
def test_a_grid_without_crop_sends_photos_as_they_are(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    photos = {
        "groups/eileen/a.jpg": AS_THEY_ARE["turned.jpg"],
        "groups/eileen/b.heic": heic(lying(WIDE), orientation=6),
    }
    folder = job_folder("ids", GRID + 'crop = false\nprompts = ["id photo"]\n', photos)

    checked = run("check", folder, "--json")
    done = run("run", folder, "--json")

    (warning,) = turns(checked)
    assert warning.startswith("groups/eileen/a.jpg is turned")
    assert done.code == 0, done.err
    session = Path(done.json["session_path"])
    (made,) = prepared(session).values()
    assert (made["width"], made["height"], made["crop"]) == (512, 400, None)
    (paid,) = service.bill()
    assert paid["photos"] == [sha(photos["groups/eileen/a.jpg"]), made["sha256"]]
    grid = grid_of(session)
    assert (grid["apply_crop"], grid["refs"]["1"]["crops"]) == (False, {})
    for file in grid["refs"]["1"]["files"]:
        with Image.open(session / file) as thumbnail:
            assert thumbnail.size == (512, 400)


def test_bad_photos_of_a_grid_refuse_it_before_anything_is_sent(
    emulator, program, job_folder
) -> None:
    service = emulator()
    run = program(service.base_url)
    photos = {
        f"groups/{group}/{name}": content
        for group, name, content in (
            ("a", "cut.heic", REFUSED["cut.heic"][0]),
            ("b", "bomb.png", REFUSED["bomb.png"][0]),
            ("b", "good.jpg", encoded(WIDE)),
            ("c", "line.png", REFUSED["line.png"][0]),
        )
    }

    done = run("run", job_folder("ids", GRID + 'prompts = ["id photo"]\n', photos), "--json")

    assert done.code == 2
    problems = {row["file"]: row["message"] for row in done.json["error"]["problems"]}
    assert {name.partition("/")[2] for name in problems} == {
        "a/cut.heic",
        "b/bomb.png",
        "c/line.png",
    }
    assert "over the 256 megapixels" in problems["groups/b/bomb.png"]
    assert service.bill() == []


# Croppers --------------------------------------------------------------------------------------

# A cropper that notes what it is asked. A photo of 301 pixels crashes it, as one may crash a C
# library; one of 302 takes the file itself along; one of 303 it cannot stand.
CROPPER = """
import os
from pathlib import Path

class FaceCropper:
    def detect_face_dnn(self, image):
        height, width = image.shape[:2]
        with Path({log!r}).open("a", encoding="utf-8") as log:
            log.write(f"{{width}}\\n")
        if width == 302:
            Path(__file__).unlink()
        if width in (301, 302):
            os._exit(3)
        if width == 303:
            raise RuntimeError("I do not like it")
        return {{"box": [10, 20, 60, 60], "confidence": 0.9}}

    def calculate_balanced_crop_v2(self, face_center_x, face_center_y, face_size, img_w, img_h, bbox):
        return 0, 0, 100, 120
"""


class CropperFile:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "my_cropper.py"
        self._log = folder / "asked"
        self._log.touch()
        self.path.write_text(CROPPER.format(log=str(self._log)), encoding="utf-8")

    def asked(self) -> list[int]:
        """The widths of the photos that were looked at."""
        return sorted(map(int, self._log.read_text(encoding="utf-8").split()))


@pytest.fixture
def cropper(tmp_path: Path) -> CropperFile:
    return CropperFile(tmp_path)


def wide(width: int) -> bytes:
    return encoded(Image.new("RGB", (width, 200), (width * 20 % 256, 90, 60)))


@pytest.mark.slow
def test_each_photo_of_a_grid_is_prepared_once_whatever_happens(
    emulator, program, job_folder, cropper, court
) -> None:
    service = emulator("--latency", "0.1")
    run = program(service.base_url)
    run.env["CROPPER_PATH"] = str(cropper.path)
    prompts = [f"id photo {number}" for number in range(10)]
    photos = {f"groups/g{number}/1.jpg": wide(310 + number) for number in range(10)}
    folder = job_folder("ids", f"{GRID}prompts = {prompts}\n", photos)

    first = run.start("run", folder)
    deadline = time.monotonic() + 30
    while len(service.bill()) < 25 or len(prepared(run.sessions()[0])) < 10:
        assert time.monotonic() < deadline, "nothing came of it"
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    (session,) = run.sessions()
    kept = {path.name: path.stat().st_mtime_ns for path in (session / "prepared").iterdir()}
    resumed = run("resume", session.name, "--json")

    assert resumed.code == 0, resumed.err
    assert resumed.json["pictures"] == 100
    court.judge(service.bill(), session)
    assert len(kept) == 10
    assert cropper.asked() == [310 + number for number in range(10)]
    begun = Counter(row["photo"] for row in events(session, "prepare_begin"))
    assert begun == dict.fromkeys(photos, 1)
    assert len(sent(service)) == 10
    assert not (session / "prepared").exists()
    assert grid_of(session)["refs"]["1"]["crops"] == {"01.jpg": "face"}


def test_a_photo_that_crashes_fails_its_shots_and_no_others(
    emulator, program, job_folder, cropper
) -> None:
    run = program(emulator().base_url)
    run.env["CROPPER_PATH"] = str(cropper.path)
    photos = {
        "groups/a/1.jpg": wide(301),
        "groups/b/1.jpg": wide(310),
        "groups/c/1.jpg": wide(303),
    }
    folder = job_folder("ids", GRID + 'prompts = ["one", "two", "three"]\n', photos)

    done = run("run", folder, "--json")

    assert done.code == 1, done.err
    assert done.json["saved"] == 6
    assert {(row["shot"], row["code"]) for row in done.json["failures"]} == {
        (f"r{row}_c1", "bad_photo") for row in (1, 2, 3)
    }
    assert done.json["failures"][0]["message"] == (
        "groups/a/1.jpg made the picture decoder crash (exit status 3); export it as a new JPEG."
    )
    assert cropper.asked() == [301, 303, 310]
    assert (
        "groups/c/1.jpg: the cropper of CROPPER_PATH failed (I do not like it), so the middle"
        in " ".join(done.err.split())
    )
    refs = grid_of(Path(done.json["session_path"]))["refs"]
    assert [refs[number]["crops"] for number in "123"] == [
        {},
        {"01.jpg": "face"},
        {"01.jpg": "center"},
    ]


def test_a_cropper_that_vanishes_fails_the_shots_that_need_it(
    emulator, program, job_folder, cropper
) -> None:
    run = program(emulator().base_url)
    run.env["CROPPER_PATH"] = str(cropper.path)
    # Photos of a group are prepared one after another: the last is never the first of all.
    others = {f"groups/b/{number}.jpg": wide(310 + number) for number in range(8)}
    photos = {"groups/a/1.jpg": wide(302), **others}
    folder = job_folder("ids", GRID + 'prompts = ["one", "two"]\n', photos)

    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # one core means one worker
    try:
        done = run("run", folder, "--json")
    finally:
        os.sched_setaffinity(0, cores)

    assert done.code == 1, done.err
    messages = {row["shot"]: row["message"] for row in done.json["failures"]}
    assert len(messages) == 4
    assert messages["r2_c2"].endswith(
        f".jpg cannot be prepared: CROPPER_PATH names {cropper.path}, and no file is there."
    )


LACKING = "class FaceCropper: detect_face_dnn = print\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "variable", "content", "said"),
    [
        ("run", "CROPPER_PATH", None, "and no file is there"),
        ("run", "CROPPER_PATH", LACKING, "lacks calculate_balanced_crop_v2"),
        ("run", "FACE_MODEL_PATH", "no model", "is not a YuNet model"),
        ("crops", "CROPPER_PATH", None, "and no file is there"),
        ("serve", "FACE_MODEL_PATH", None, "and no file is there"),
    ],
)
def test_a_wrong_cropper_is_told_at_the_start(
    command, variable, content, said, *, program, counting_service, job_folder, tmp_path
) -> None:
    run = program(counting_service.base_url)
    named = tmp_path / ("cropper.py" if variable == "CROPPER_PATH" else "model.onnx")
    if content is not None:
        named.write_text(content, encoding="utf-8")
    photos = {"groups/a/1.jpg": wide(310)}
    folder = job_folder("ids", GRID + 'prompts = ["one"]\n', photos)

    words = () if command == "serve" else (folder,)
    done = run(command, *words, **{variable: str(named)})

    assert done.code == 3
    told = " ".join(done.err.split())
    assert variable in told
    assert str(named) in told
    assert said in told
    assert run.sessions() == []
    assert counting_service.requests == []


def test_the_crops_can_be_looked_at_before_anything_is_paid(
    program, counting_service, job_folder, tmp_path
) -> None:
    run = program(counting_service.base_url)
    photos = {
        "groups/a/1.heic": heic(lying(PERSON), orientation=6),
        "groups/a/2.png": AS_THEY_ARE["16 bits.png"],
        f"groups/b/{'가' * 83}y.jpg": encoded(WIDE),
        "groups/b/cut.heic": REFUSED["cut.heic"][0],
    }
    folder = job_folder("ids", GRID + 'prompts = ["one"]\n', photos)

    done = run("crops", folder, "--to", tmp_path / "look", "--json")

    assert done.code == 1, done.err
    crops = {row["photo"]: row for row in done.json["crops"]}
    assert [crops[name]["how"] for name in photos] == ["face", "center", "face", None]
    assert crops["groups/b/cut.heic"]["warning"].startswith("groups/b/cut.heic is cut short")
    for row in crops.values():
        if row["file"]:
            with Image.open(row["file"]) as crop:
                assert crop.size == (1024, 1024)
    with Image.open(done.json["sheet"]) as sheet:
        assert sheet.height >= 3 * 300
    assert counting_service.requests == []
