"""Looks for what would stop a job, before one is dropped, and says how to mend it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from seedream_daemon.actions import doctor_host
from seedream_daemon.actions.doctor_host import Check
from seedream_daemon.actions.wiring import NO_KEY
from seedream_daemon.ark.client import ArkClient
from seedream_daemon.ark.clock import server_time
from seedream_daemon.ark.failures import ArkError, Verdict, advice
from seedream_daemon.errors import ConfigError
from seedream_daemon.inbox.ears import Ears
from seedream_daemon.inbox.place import MARKER, NotThere, missing_inbox, open_inbox, try_inbox
from seedream_daemon.photos.workers import PhotoWorkers
from seedream_daemon.settings import Settings

# Beyond this, answers' URLs and certificates may seem to be out of date.
CLOCK_TOLERANCE_S = 60.0

Read = Callable[[], tuple[Settings, tuple[str, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the doctor found. `ok` is false if something would stop a job."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing would stop a job."""
        return all(check.ok for check in self.checks)

    def document(self) -> dict[str, Any]:
        """Give what `doctor --json` prints."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}


async def examine(read: Read) -> Findings:
    """Look at everything that a job needs; `read` gives the settings and their warnings.

    Nothing that costs money is sent, and of the folders only an inbox that exists already is
    written to: an empty folder is moved through it.
    """
    try:
        settings, warnings = read()
    except ConfigError as error:
        mend = "Correct it, or name the settings file you mean with --env FILE."
        wrong = Check(name="settings", ok=False, found=error.message, mend=mend)
        return Findings(checks=(wrong, await doctor_host.unit()))
    found = "; ".join(warnings) or "all settings can be understood"
    advised = "Delete or correct these lines; they have no effect." if warnings else None
    checks = [Check(name="settings", ok=True, found=found, mend=advised), _key(settings)]
    checks.append(await _api(settings, has_key=checks[-1].ok))
    checks.append(await _clock(settings))
    checks.append(await _in_thread(partial(_inbox, settings)))
    checks.append(await _watch(settings))
    checks.append(await _in_thread(doctor_host.inotify))
    checks.append(
        await _in_thread(partial(doctor_host.folder, "OUTPUT_BASE_DIR", settings.output_base_dir))
    )
    checks.append(await _in_thread(partial(doctor_host.folder, "STATE_DIR", settings.state_dir)))
    checks.append(await _cropper(settings))
    checks.append(await doctor_host.unit())
    return Findings(checks=tuple(checks))


async def _in_thread(look: Callable[[], Check]) -> Check:
    return await anyio.to_thread.run_sync(look)


def _key(settings: Settings) -> Check:
    try:
        key = settings.require_key()
    except ConfigError as error:
        return Check(name="key", ok=False, found="there is none", mend=error.message)
    if key is None:
        return Check(name="key", ok=True, found="none is needed for a service on this machine")
    if settings.ark_api_key is not None:
        return Check(name="key", ok=True, found="ARK_API_KEY is set")
    file = settings.ark_api_key_file
    if file is not None and file.stat().st_mode & 0o077:
        mend = f"chmod 600 {file}"
        return Check(name="key", ok=True, found=f"in {file}, which others may read", mend=mend)
    return Check(name="key", ok=True, found=f"in {file}")


async def _api(settings: Settings, *, has_key: bool) -> Check:
    if not has_key:
        return Check(name="api", ok=True, found="not asked, since there is no key")
    key = settings.require_key()
    model = settings.seedream_model_id
    try:
        async with ArkClient(
            settings.ark_base_url, key.get_secret_value() if key else NO_KEY
        ) as ark:
            refusal = await ark.probe(model)
    except ConfigError as error:
        return Check(name="api", ok=False, found="the key cannot be sent", mend=error.message)
    host = urlsplit(settings.ark_base_url).netloc
    if refusal is None:
        return Check(name="api", ok=True, found=f"{host} takes this key for {model}")
    return _refused(refusal, host)


def _refused(refusal: ArkError, host: str) -> Check:
    found = f"{host}: {refusal.code}: {refusal.message}"
    if refusal.verdict is Verdict.AGAIN and refusal.status is not None:
        mend = "Nothing: such a request is asked again by itself."
        return Check(name="api", ok=True, found=found, mend=mend)
    mend = advice(refusal.code) or "Look at ARK_BASE_URL, ARK_API_KEY and SEEDREAM_MODEL_ID."
    return Check(name="api", ok=False, found=found, mend=mend)


async def _clock(settings: Settings) -> Check:
    theirs = await server_time(settings.ark_base_url)
    if theirs is None:
        return Check(name="clock", ok=True, found="not compared: the service told no time")
    ahead_s = (datetime.now(UTC) - theirs).total_seconds()
    if abs(ahead_s) <= CLOCK_TOLERANCE_S:
        return Check(name="clock", ok=True, found="agrees with that of the service")
    way = "ahead of" if ahead_s > 0 else "behind"
    return Check(
        name="clock",
        ok=True,
        found=f"{abs(ahead_s):.0f} s {way} that of the service",
        mend="Set the clock (timedatectl set-ntp true): budgets go by the day.",
    )


def _inbox(settings: Settings) -> Check:
    root, state_dir = settings.inbox_dir, settings.state_dir
    gone = missing_inbox(root, state_dir=state_dir)
    if gone is not None:
        mend = "Mount its disk, or set INBOX_DIR to another folder."
        return Check(name="inbox", ok=False, found=gone.reason, mend=mend)
    try:
        if not (root / MARKER).exists():
            return _no_inbox_yet(root)
        place = open_inbox(root, state_dir=state_dir)
    except (ConfigError, OSError) as error:
        mend = error.message if isinstance(error, ConfigError) else f"{error}. Name another folder."
        return Check(name="inbox", ok=False, found=f"{root} cannot be used", mend=mend)
    if isinstance(place, NotThere):
        return Check(name="inbox", ok=False, found=place.reason, mend="Mount its disk.")
    found = f"{root} can be written to, and drops can be moved through its folders"
    return Check(name="inbox", ok=True, found=found)


def _no_inbox_yet(root: Path) -> Check:
    """Look for what would refuse the inbox when the service makes it. Raises as it would."""
    check = doctor_host.folder("INBOX_DIR", root)
    if check.ok and root.exists():
        try_inbox(root)
    return check


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - which also takes a name that is too long


async def _watch(settings: Settings) -> Check:
    if not _is_folder(settings.inbox_dir):
        return Check(name="watch", ok=True, found="not tried, since there is no inbox yet")
    said: list[str] = []
    ears = Ears(
        settings.inbox_dir,
        mode=settings.watch,
        wake=lambda: None,
        warn=said.append,
    )
    try:
        await ears.open()
        hears = ears.hear
    except ConfigError as error:
        return Check(name="watch", ok=False, found="there are no events", mend=error.message)
    finally:
        await ears.close()
    if hears:
        return Check(name="watch", ok=True, found="events tell of new drops at once")
    return _polls(said)


def _polls(said: Sequence[str]) -> Check:
    if not said:
        return Check(name="watch", ok=True, found="the inbox is polled, as WATCH=poll says")
    return Check(name="watch", ok=True, found=said[0], mend="Put the inbox on a local disk.")


async def _cropper(settings: Settings) -> Check:
    cropper, model = settings.cropper_path, settings.face_model_path
    try:
        async with PhotoWorkers(count=1, cropper_path=cropper, face_model_path=model) as workers:
            await workers.check()
    except ConfigError as error:
        named = cropper or model
        return Check(name="cropper", ok=False, found=f"{named} is of no use", mend=error.message)
    stray = Path.cwd() / "cropper_v2.py"
    if cropper is None and stray.exists():
        found = f"the built-in one; {stray} was found, but CROPPER_PATH is not set"
        mend = f"Set CROPPER_PATH={stray} if you mean it."
        return Check(name="cropper", ok=True, found=found, mend=mend)
    kind = f"{cropper} loads" if cropper else f"{model} loads" if model else "the built-in one"
    return Check(name="cropper", ok=True, found=kind)
