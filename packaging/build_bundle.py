# ruff: noqa: INP001 - a script
"""Build what MCP clients and registries install from: a bundle (.mcpb) and server.json.

    python packaging/build_bundle.py https://github.com/OWNER/seedream-daemon [--to dist] [--check]

The bundle holds the package's source and lets the client's uv fetch the dependencies, since they
are compiled for each platform (manifest 0.4, server type "uv"). Two builds of one tree are equal
byte for byte. With --check its makers' own tool validates it: npx fetches @anthropic-ai/mcpb at an
exact version. The registry also wants to read `mcp-name: io.github.OWNER/seedream-daemon` in the
README of the package on PyPI.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MCPB = "@anthropic-ai/mcpb@2.1.2"
SERVER_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
# The registry takes no longer ones.
MOST_DESCRIPTION = 100
DESCRIPTION = "Makes pictures with ByteDance's Seedream, one or ten thousand, and keeps its budget."
_PARTS = (
    "seedream_daemon",
    "inbox_template",
    "pyproject.toml",
    "env.example",
    "README.md",
    "LICENSE",
)
_LEFT_OUT = {"__pycache__", ".DS_Store"}
# The oldest moment that a zip can tell; a build must not depend on when it was made.
_MOMENT = (1980, 1, 1, 0, 0, 0)

_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "ARK_API_KEY": {
        "type": "string",
        "title": "API key",
        "description": "Key of your BytePlus ModelArk account.",
        "sensitive": True,
        "required": True,
    },
    "INBOX_DIR": {
        "type": "directory",
        "title": "Inbox",
        "description": "Drop job folders here; photos for the assistant go into its _photos.",
        "required": True,
        "default": "${HOME}/Seedream/inbox",
    },
    "OUTPUT_BASE_DIR": {
        "type": "directory",
        "title": "Pictures",
        "description": "Where the pictures are saved.",
        "required": True,
        "default": "${HOME}/Seedream/outputs",
    },
    "DAILY_BUDGET_USD": {
        "type": "string",
        "title": "Daily budget in US dollars",
        "description": "Nothing is sent that would cost more than this in a day.",
        "required": True,
        "default": "10.00",
    },
}


class BuildError(Exception):
    """What was to be built would not be accepted."""


def version() -> str:
    """Read the package's version."""
    text = (ROOT / "seedream_daemon" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    if found is None:
        raise BuildError("seedream_daemon/__init__.py names no version")
    return found[1]


def manifest(repository: str) -> dict[str, Any]:
    """Give the bundle's manifest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    recorded = ROOT / "seedream_daemon" / "mcp_bridge" / "recorded.json"
    answers = json.loads(recorded.read_text(encoding="utf-8"))["handshake"]
    tools = answers["tools/list"]["tools"]
    return {
        "manifest_version": "0.4",
        "name": project["name"],
        "display_name": "Seedream",
        "version": version(),
        "description": DESCRIPTION,
        "author": {"name": repository.rstrip("/").split("/")[-2], "url": repository},
        "repository": {"type": "git", "url": repository},
        "license": project["license"],
        "keywords": list(project["keywords"]),
        "server": {
            "type": "uv",
            "entry_point": "seedream_daemon/__main__.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", project["name"], "mcp"],
                "env": {name: f"${{user_config.{name.lower()}}}" for name in _SETTINGS},
            },
        },
        "tools": [
            {"name": one["name"], "description": one.get("description", "")} for one in tools
        ],
        "tools_generated": False,
        "user_config": {name.lower(): dict(setting) for name, setting in _SETTINGS.items()},
        "compatibility": {
            "platforms": ["darwin", "linux"],
            "runtimes": {"python": project["requires-python"]},
        },
    }


def write_bundle(path: Path, repository: str) -> str:
    """Write the bundle; give its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest(repository), ensure_ascii=False, indent=2) + "\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        _add(bundle, "manifest.json", text.encode("utf-8"))
        for file in _files():
            _add(bundle, file.relative_to(ROOT).as_posix(), file.read_bytes())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def server_json(repository: str, bundle: str, sha256: str) -> dict[str, Any]:
    """Give the registry's document, with a package for each way to install."""
    found = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+)/?", repository)
    if found is None:
        raise BuildError(f"{repository} is no https://github.com/OWNER/NAME")
    if len(DESCRIPTION) > MOST_DESCRIPTION:
        raise BuildError(f"The description is longer than {MOST_DESCRIPTION} characters")
    here = version()
    release = f"https://github.com/{found[1]}/{found[2]}/releases/download/v{here}/{bundle}"
    return {
        "$schema": SERVER_SCHEMA,
        "name": f"io.github.{found[1]}/{found[2]}",
        "title": "Seedream",
        "description": DESCRIPTION,
        "version": here,
        "repository": {"url": repository, "source": "github"},
        "packages": [
            {
                "registryType": "pypi",
                "identifier": "seedream-daemon",
                "version": here,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "packageArguments": [{"type": "positional", "value": "mcp"}],
                "environmentVariables": [
                    {
                        "name": name,
                        "description": setting["description"],
                        "isRequired": setting["required"],
                        "isSecret": setting.get("sensitive", False),
                    }
                    for name, setting in _SETTINGS.items()
                ],
            },
            {
                "registryType": "mcpb",
                "identifier": release,
                "version": here,
                "fileSha256": sha256,
                "transport": {"type": "stdio"},
            },
        ],
    }


def check(folder: Path, bundle: Path) -> None:
    """Validate the manifest with its makers' own tool. Raises BuildError."""
    unpacked = folder / "manifest.json"
    with zipfile.ZipFile(bundle) as packed:
        unpacked.write_bytes(packed.read("manifest.json"))
    try:
        for words in (["validate", str(unpacked)], ["info", str(bundle)]):
            done = subprocess.run(  # noqa: S603 - the words are ours
                ["npx", "--yes", "--ignore-scripts", MCPB, *words],  # noqa: S607 - npx of the PATH
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                raise BuildError(f"{MCPB} {words[0]}: {done.stdout}{done.stderr}")
    finally:
        unpacked.unlink()


def _files() -> Iterator[Path]:
    for part in _PARTS:
        place = ROOT / part
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            if file.is_file() and not _LEFT_OUT & set(file.relative_to(ROOT).parts):
                yield file


def _add(bundle: zipfile.ZipFile, name: str, content: bytes) -> None:
    facts = zipfile.ZipInfo(name, _MOMENT)
    facts.external_attr = 0o644 << 16
    facts.compress_type = zipfile.ZIP_DEFLATED
    bundle.writestr(facts, content)


def main() -> int:
    """Build both files and say where they are."""
    parser = argparse.ArgumentParser(description="Build the MCP bundle and server.json.")
    parser.add_argument("repository", help="https://github.com/OWNER/NAME")
    parser.add_argument("--to", type=Path, default=ROOT / "dist")
    parser.add_argument("--check", action="store_true", help="validate with npx, needs a network")
    words = parser.parse_args()
    bundle: Path = words.to / f"seedream-daemon-{version()}.mcpb"
    try:
        sha256 = write_bundle(bundle, words.repository)
        document = server_json(words.repository, bundle.name, sha256)
        if words.check:
            check(words.to, bundle)
    except BuildError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a script
        return 1
    listing: Path = words.to / "server.json"
    listing.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(f"{bundle}\n{listing}")  # noqa: T201 - a script
    return 0


if __name__ == "__main__":
    sys.exit(main())
