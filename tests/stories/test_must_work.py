"""What people have on their disks: names in any script, phone files, real photographs."""

import hashlib
import io
import json
import unicodedata
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image
from skimage import data

BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'
NFD = unicodedata.normalize("NFD", "강아지")


def encoded(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, quality=88)
    return stream.getvalue()


def photo(kind: str = "JPEG", *, red: int = 80) -> bytes:
    return encoded(Image.new("RGB", (640, 480), (red, 120, 200)), kind)


def heic(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=60)
    return stream.getvalue()


def motion_photo() -> bytes:
    """A JPEG with a video after its end, as phones write it; the video holds a cut JPEG."""
    video = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\0\x10\0mdat" + photo()[:900] + b"\xff" * 64
    return photo(red=9) + video + b"SEFHk\0\0\0\1\0\0\0MotionPhoto_DataSEFT"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# A photo and its picture.
SHOOT = {
    "two words.jpg": "two words.jpg",
    "사진.jpg": "사진.jpg",
    f"{NFD}.jpg": "강아지.jpg",
    "😀 👩‍👩‍👧.jpg": "😀 👩‍👩‍👧.jpg",
    "-rf.jpg": "-rf.jpg",
    "x" * 251 + ".jpg": "x" * 251 + ".jpg",
    "가" * 83 + "y.jpeg": "가" * 83 + "y.jpg",
    "IMG_0001.JPG": "IMG_0001.jpg",
    "SHOT.JPeG": "SHOT.jpg",
    "Logo.PNG": "Logo.jpg",
    "Web.WEBP": "Web.jpg",
    "motion.jpg": "motion.jpg",
    "IMG_7.HEIC": "IMG_7_HEIC.jpg",
    "IMG_7.jpg": "IMG_7_jpg.jpg",
    "[red]bold $HOME 'q' \"q\".jpg": "[red]bold $HOME 'q' \"q\".jpg",
}


def content_of(name: str) -> bytes:
    match Path(name).suffix.lower():
        case ".heic":
            return heic(Image.new("RGB", (640, 480), (9, 9, 200)))
        case ".png":
            return photo("PNG")
        case ".webp":
            return photo("WEBP")
    return motion_photo() if name == "motion.jpg" else photo(red=len(name) % 256)


@pytest.mark.slow
def test_a_shoot_of_every_kind_of_name_is_made_whole(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    photos = {name: content_of(name) for name in SHOOT}
    folder = job_folder("-봄 신상 😀", None, photos)
    (folder / "job.toml").write_bytes(("\ufeff" + BULK.replace("\n", "\r\n")).encode())

    done = run("run", folder, "--json")

    assert done.code == 0, done.err
    session = Path(done.json["session_path"])
    assert sorted(path.name for path in session.glob("*.jpg")) == sorted(SHOOT.values())
    paid = sorted(sha256 for row in service.bill() for sha256 in row["photos"])
    as_they_are = {sha(content) for name, content in photos.items() if not name.endswith("HEIC")}
    assert len(paid) == len(SHOOT)
    assert as_they_are < set(paid)
    assert sha(photos["IMG_7.HEIC"]) not in paid
    shown = run("show", done.json["session"])
    assert shown.code == 0
    assert all(f" picture: {name}" in shown.out.splitlines() for name in SHOOT.values())


def test_a_relative_folder_that_begins_with_a_dash_is_run_after_two_dashes(
    emulator, program
) -> None:
    run = program(emulator().base_url)
    folder = run.home / "-job"
    folder.mkdir()
    (folder / "job.toml").write_text(
        'kind = "t2i"\nprompt = "여우 {무엇}"\nsize = "1024x1024"\n[variables]\n"무엇" = "한 마리"\n',
        encoding="utf-8",
    )

    done = run("run", "--json", "--", "-job")

    assert done.code == 0, done.err
    assert done.json["name"] == "-job"
    assert done.json["session"].endswith("_여우_무엇_t2i")


def test_a_folder_whose_name_is_not_text_is_run_and_told(emulator, program, tmp_path) -> None:
    run = program(emulator().base_url)
    folder = tmp_path / "shoot-\udcff"
    folder.mkdir()
    (folder / "job.toml").write_bytes(b'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n')

    checked = run("check", folder, "--json")
    done = run("run", folder, "--json")

    assert checked.json["folder"] == str(folder)
    assert done.code == 0, done.err
    assert done.json["pictures"] == 1


def test_a_grid_finds_groups_however_their_names_are_composed(
    emulator, program, job_folder
) -> None:
    service = emulator()
    run = program(service.base_url)
    job = (
        'kind = "grid"\nsize = "1024x1024"\ncrop = false\nprompts = ["{성별}, id photo"]\n'
        '[variables."강아지"]\n"성별" = "여자"\n[variables."두 번째 🐶"]\n"성별" = "남자"\n'
        '[labels]\n"강아지" = "첫째"\n'
    )
    folder = job_folder(
        "ids", job, {f"groups/{NFD}/1.JPG": photo(), "groups/두 번째 🐶/-1.jpeg": photo(red=7)}
    )

    done = run("run", folder, "--json")

    assert done.code == 0, done.err
    grid = json.loads((Path(done.json["session_path"]) / "grid.json").read_text(encoding="utf-8"))
    assert sorted(grid["group_names"]) == ["두 번째 🐶", "첫째"]
    assert sorted(cell["prompt"] for cell in grid["cells"].values()) == [
        "남자, id photo",
        "여자, id photo",
    ]


# Real photographs ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def photographs() -> dict[str, bytes]:
    """What scikit-image ships, as a camera would save it; one as large as a phone's."""
    images = {
        "astronaut": Image.fromarray(data.astronaut()),
        "chelsea": Image.fromarray(data.chelsea()),
        "coffee": Image.fromarray(data.coffee()),
        "rocket": Image.fromarray(data.rocket()),
        "retina": Image.fromarray(data.retina()),
    }
    images["coffee_12mp"] = images["coffee"].resize((4242, 2828), Image.Resampling.BICUBIC)
    return {f"{name}.jpg": encoded(image, "JPEG") for name, image in images.items()}


def test_a_bulk_of_photographs_sends_each_as_it_is(
    emulator, program, job_folder, photographs
) -> None:
    service = emulator()
    run = program(service.base_url)

    done = run("run", job_folder("shoot", BULK, photographs), "--json")

    assert done.code == 0, done.err
    assert sorted(row["photos"][0] for row in service.bill()) == sorted(
        sha(content) for content in photographs.values()
    )
    for name in photographs:
        with Image.open(Path(done.json["session_path"]) / name) as picture:
            picture.load()
            assert picture.size == (1024, 1024)


def test_photographs_become_one_picture_in_i2i(emulator, program, job_folder, photographs) -> None:
    service = emulator()
    run = program(service.base_url)
    heif = heic(Image.fromarray(data.chelsea()))
    chosen = {"1 astronaut.jpg": photographs["astronaut.jpg"], "2 cat.heic": heif}
    job = 'kind = "i2i"\nprompt = "her with the cat"\naspect = "3:4"\npreset = "1K"\n'

    done = run("run", job_folder("both", job, chosen), "--json")

    assert done.code == 0, done.err
    (paid,) = service.bill()
    session = Path(done.json["session_path"])
    first, second = sorted((session / "references").iterdir())
    assert paid["photos"] == [sha(first.read_bytes()), sha(second.read_bytes())]
    assert first.read_bytes() == photographs["astronaut.jpg"]
    with Image.open(second) as sent:
        assert (sent.format, sent.size) == ("JPEG", (451, 300))


def test_a_grid_cuts_photographs_to_their_faces(emulator, program, job_folder, photographs) -> None:
    service = emulator()
    run = program(service.base_url)
    job = (
        'kind = "grid"\nsize = "1024x1024"\nprompts = ["id photo", "id photo, grey jacket"]\n'
        'common = ["coffee.jpg"]\n'
    )
    photos = {
        "coffee.jpg": photographs["coffee.jpg"],
        "groups/eileen/1.jpg": photographs["astronaut.jpg"],
        "groups/rocket/1.jpg": photographs["rocket.jpg"],
    }

    done = run("run", job_folder("ids", job, photos), "--json")

    assert done.code == 0, done.err
    session = Path(done.json["session_path"])
    assert done.json["pictures"] == 4
    crops = {row["photo"]: row for row in events(session, "prepare_end")}
    assert crops["groups/eileen/1.jpg"]["crop"] == "face"
    assert crops["groups/rocket/1.jpg"]["crop"] == "center"
    assert {(row["width"], row["height"]) for row in crops.values()} == {(1024, 1024)}
    common = sha(photographs["coffee.jpg"])
    assert {tuple(row["photos"]) for row in service.bill()} == {
        (common, row["sha256"]) for row in crops.values()
    }
    assert (session / "refs" / "eileen" / "01.jpg").is_file()


def events(session: Path, name: str) -> list[dict]:
    lines = (session / "journal-0001.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == name]
