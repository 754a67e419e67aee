"""A drop that has run before: go on with its session, or begin a new one that takes over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from seedream_daemon.actions.run import new_session
from seedream_daemon.job.fingerprint import fingerprint
from seedream_daemon.job.plan import Plan, Shot, plan_to_json
from seedream_daemon.photos.inspect import digest
from seedream_daemon.session.recall import recall
from seedream_daemon.session.shot_facts import KeptPicture, ShotState
from seedream_daemon.session.shot_history import ShotHistory
from seedream_daemon.session.store import SessionWriter
from seedream_daemon.settings import Settings

# A daemon holds fewer sessions open at once; further back nobody needs to look.
MOST_LOOKED_AT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A session to run a job in, and the shots that are asked for though they failed before."""

    session: SessionWriter
    again: frozenset[str]


async def begin(
    settings: Settings, plan: Plan, job: Mapping[str, Any], result: Mapping[str, Any] | None
) -> Begun:
    """Open the session that a drop's result.json names, or make a new one for its plan.

    An unchanged plan goes on in its session, and shots whose photos or prompt changed since they
    failed are asked again. A changed plan gets a new session, into which equal pictures of the old
    one are adopted, unpaid; the old one stays as it is. Raises ConfigError, SessionBusyError.
    """
    before = await anyio.to_thread.run_sync(believed_session, settings.output_base_dir, result)
    if before is None:
        return Begun(session=await new_session(settings, plan, dict(job)), again=frozenset())
    old = await SessionWriter.open(before)
    now = await anyio.to_thread.run_sync(_fingerprints, plan, old.history.shots)
    if is_same_plan(old.plan, plan) and not _saved_changed(old.history.shots, now):
        return Begun(session=old, again=_failed_changed(old.history.shots, now))
    try:
        facts = {**job, "adopted_from": before.name}
        session = await new_session(settings, plan, facts)
        await _adopt(session, old, plan, now)
    finally:
        old.release()
    return Begun(session=session, again=frozenset())


def believed_session(base: Path, result: Mapping[str, Any] | None) -> Path | None:
    """Give the session that a result.json speaks of, if it truly is the one of that job.

    A drop is data from strangers: the name must be a bare one, and the session's own journal must
    hold the same job_id.
    """
    name, job_id = (result or {}).get("session"), (result or {}).get("job_id")
    if not isinstance(name, str) or not isinstance(job_id, str):
        return None
    path = base / name
    if name in {"", ".", ".."} or "/" in name or "\0" in name or path.is_symlink():
        return None
    if not path.is_dir():
        return None
    history = recall(path).history
    return path if history.job.get("job_id") == job_id and history.plan else None


def begun_session(base: Path, job_id: str, since: str) -> Path | None:
    """Give the session that a job began just before its process died, if there is one.

    `since` is a stamp such as 2025-09-12_14-30-12: what is older cannot be it. Blocks.
    """
    try:
        names = sorted((path.name for path in base.iterdir()), reverse=True)
    except OSError:
        return None
    for name in names[:MOST_LOOKED_AT]:
        if name[: len(since)] < since:
            return None
        found = believed_session(base, {"session": name, "job_id": job_id})
        if found is not None:
            return found
    return None


def is_same_plan(old: Plan, new: Plan) -> bool:
    """Whether two plans ask for the same; names, prices and places do not matter."""
    aside = {"root", "name", "warnings", "price_micro_usd", "max_cost_micro_usd"}
    one, other = plan_to_json(old), plan_to_json(new)
    return all(one[key] == other[key] for key in one.keys() - aside)


def _fingerprints(plan: Plan, known: Mapping[str, ShotHistory]) -> dict[str, str]:
    """Give what each shot asks now, for those shots that anything can be compared with.

    A photo that cannot be read has no digest; its shot is left out, and fails by itself later.
    """
    digests: dict[Path, str] = {}
    found = {}
    comparable = any(shot.fingerprint for shot in known.values())
    for shot in plan.shots if comparable else ():
        try:
            found[shot.id] = fingerprint(plan, shot, _digests(shot, digests))
        except OSError:
            continue
    return found


def _digests(shot: Shot, digests: dict[Path, str]) -> Sequence[str]:
    for photo in shot.photos:
        if photo.path not in digests:
            digests[photo.path] = digest(photo.path)
    return [digests[photo.path] for photo in shot.photos]


def _saved_changed(shots: Mapping[str, ShotHistory], now: Mapping[str, str]) -> bool:
    return any(
        shot.state is ShotState.SAVED and shot.fingerprint and now.get(shot.id) != shot.fingerprint
        for shot in shots.values()
    )


def _failed_changed(shots: Mapping[str, ShotHistory], now: Mapping[str, str]) -> frozenset[str]:
    """Give the failed shots that ask something else now; a bad photo was never sent at all."""
    return frozenset(
        shot.id
        for shot in shots.values()
        if shot.state is ShotState.FAILED and shot.fingerprint != now.get(shot.id, shot.fingerprint)
    ) | frozenset(
        shot.id
        for shot in shots.values()
        if shot.state is ShotState.FAILED and shot.failure and shot.failure.code == "bad_photo"
    )


async def _adopt(
    session: SessionWriter, old: SessionWriter, plan: Plan, now: Mapping[str, str]
) -> None:
    """Take over each picture of the old session that the new plan asks for too."""
    stock: dict[str, tuple[KeptPicture, ...]] = {
        shot.fingerprint: shot.kept
        for shot in old.history.shots.values()
        if shot.fingerprint and shot.kept
    }
    for shot in plan.shots:
        asks = now.get(shot.id)
        for kept in stock.get(asks or "", ()):
            await session.adopt(
                old.path / kept.file,
                shot=shot.id,
                number=kept.number,
                stem=shot.stem,
                from_session=old.path.name,
                fingerprint=asks or "",
            )
