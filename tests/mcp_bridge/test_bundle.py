"""The bundle and the registry's document, as the script builds them."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from seedream_daemon.settings import Settings

SCRIPT = Path(__file__).parents[2] / "packaging" / "build_bundle.py"
REPOSITORY = "https://github.com/mina/seedream-daemon"


def build(to, *words, repository=REPOSITORY):
    return subprocess.run(
        [sys.executable, str(SCRIPT), repository, "--to", str(to), *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def built(tmp_path):
    done = build(tmp_path / "dist")
    assert done.returncode == 0, done.stderr
    bundle, listing = map(Path, done.stdout.splitlines())
    return bundle, json.loads(listing.read_text(encoding="utf-8"))


def manifest_of(bundle):
    with zipfile.ZipFile(bundle) as packed:
        return json.loads(packed.read("manifest.json"))


def test_two_builds_are_equal_byte_for_byte(built, tmp_path):
    again = build(tmp_path / "again")

    assert Path(again.stdout.splitlines()[0]).read_bytes() == built[0].read_bytes()


def test_the_bundle_holds_the_package_and_nothing_that_was_made_from_it(built):
    with zipfile.ZipFile(built[0]) as packed:
        names = packed.namelist()

    assert names[0] == "manifest.json"
    assert {"pyproject.toml", "seedream_daemon/__main__.py", "env.example"} <= set(names)
    assert any(name.startswith("inbox_template/bulk-retouch/") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]


def test_every_setting_that_a_client_asks_for_is_one(built):
    manifest = manifest_of(built[0])
    environment = manifest["server"]["mcp_config"]["env"]

    assert {name.lower() for name in environment} <= set(Settings.model_fields)
    asked = {
        value.removeprefix("${user_config.").removesuffix("}") for value in environment.values()
    }
    assert asked == set(manifest["user_config"])
    assert manifest["user_config"]["ark_api_key"]["sensitive"]


def test_the_unpacked_bundle_answers_hello(built, tmp_path, environment):
    place = tmp_path / "unpacked"
    with zipfile.ZipFile(built[0]) as packed:
        packed.extractall(place)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}

    answered = subprocess.run(
        [sys.executable, "-P", "-m", "seedream_daemon", "mcp"],
        cwd="/",
        env={**environment, "PYTHONPATH": str(place), "SEEDREAM_SOCKET": "/nowhere/mcp.sock"},
        input=json.dumps(hello) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )

    answer = json.loads(answered.stdout)["result"]
    assert answer["serverInfo"]["version"] == manifest_of(built[0])["version"]


def test_the_registry_can_check_the_bundle_by_its_digest(built):
    bundle, listing = built
    pypi, mcpb = listing["packages"]

    assert mcpb["fileSha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert mcpb["identifier"].endswith(f"/{bundle.name}")
    assert pypi["identifier"] == "seedream-daemon"
    assert listing["name"] == "io.github.mina/seedream-daemon"
    assert len(listing["description"]) <= 100


def test_a_repository_that_no_registry_knows_is_refused(tmp_path):
    done = build(tmp_path, repository="https://example.org/seedream")

    assert done.returncode == 1
    assert "https://github.com/OWNER/NAME" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_makers_own_tool_takes_the_bundle(tmp_path):
    done = build(tmp_path, "--check")

    assert done.returncode == 0, done.stderr
