"""Entries in order -> what is planned, answered, saved, in doubt, missing. Pure.

A fold: `apply` takes one entry after the other and never raises, whatever the entry holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedream_daemon.job.plan import Plan, plan_from_json
from seedream_daemon.session.journal import Entry
from seedream_daemon.session.shot_facts import AnsweredPicture, Sending, ShotState
from seedream_daemon.session.shot_history import ShotHistory

PROBLEMS_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Shots by state (they add up to `shots`), pictures on disk, and what was billed.

    `images_billed` believes the service, and counts pictures where it did not say. Requests in
    doubt are in neither of the last two. Money is in whole micro-dollars.
    """

    shots: int
    planned: int
    answered: int
    saved: int
    failed: int
    in_doubt: int
    lost: int
    pictures: int
    images_billed: int
    cost_micro_usd: int


class History:
    """All that a session's journal says, so far.

    `job` is what the job entry holds. `plan` is None until its entry came. `shots` has every
    planned shot from the start, in the order of the plan. `digests` are the SHA-256 of photos as
    they are sent, by the photo's name; `prepared` the whole entry of a prepared photo. `deaths`
    counts, by photo, the processes that died while it was being prepared. `state` is that of the
    job; without an end it is "running", and whether a process still runs it is not written here.
    """

    def __init__(self) -> None:
        self.job: Mapping[str, Any] = {}
        self.plan: Plan | None = None
        self.shots: dict[str, ShotHistory] = {}
        self.digests: dict[str, str] = {}
        self.prepared: dict[str, Mapping[str, Any]] = {}
        self.deaths: dict[str, int] = {}
        self.state = "waiting"
        self.reason: str | None = None
        self.last_seq = 0
        self.started_at: str | None = None
        self.ended_at: str | None = None
        self.problems: list[str] = []
        self._preparing: set[str] = set()
        self._by_state: dict[ShotState, int] = dict.fromkeys(ShotState, 0)
        self._pictures = 0
        self._images_billed = 0
        self._cost_micro_usd = 0
        self._pending: dict[tuple[str, int], AnsweredPicture] = {}
        self._open: dict[str, None] = {}

    def apply(self, entry: Entry) -> None:
        """Take the next entry in; one that makes no sense is named in `problems`."""
        self.last_seq = max(self.last_seq, entry.seq)
        try:
            self._apply(entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if len(self.problems) < PROBLEMS_KEPT:
                why = f"{type(error).__name__}: {error}"
                self.problems.append(f"entry {entry.seq} ({entry.event}) makes no sense: {why}")

    def process_ended(self) -> None:
        """Note that the process whose entries came last is gone: call it after each old file.

        What it was preparing then is what it may have died of.
        """
        for photo in self._preparing:
            self.deaths[photo] = self.deaths.get(photo, 0) + 1
        self._preparing.clear()

    def counts(self) -> Counts:
        """Count shots by state, pictures on disk, and money; costs the same for any size."""
        return Counts(
            shots=len(self.shots),
            planned=self._by_state[ShotState.PLANNED],
            answered=self._by_state[ShotState.ANSWERED],
            saved=self._by_state[ShotState.SAVED],
            failed=self._by_state[ShotState.FAILED],
            in_doubt=self._by_state[ShotState.IN_DOUBT],
            lost=self._by_state[ShotState.LOST],
            pictures=self._pictures,
            images_billed=self._images_billed,
            cost_micro_usd=self._cost_micro_usd,
        )

    def to_fetch(self) -> tuple[AnsweredPicture, ...]:
        """Give the answered pictures that have neither a file nor been lost, oldest first."""
        return tuple(self._pending.values())

    def dangling(self) -> tuple[Sending, ...]:
        """Give the requests without an end: no whole answer, and nobody said what came of them.

        In a running process these are in flight; after a crash they are in doubt, except those
        with `pictures_told` > 0, which were cut short but did answer.
        """
        sendings = (self.shots[shot].sending for shot in self._open)
        return tuple(sending for sending in sendings if sending is not None)

    def _apply(self, entry: Entry) -> None:
        fields = entry.fields
        match entry.event:
            case "job":
                self.job = fields
                self.started_at = self.started_at or entry.at
            case "plan":
                self._take_plan(plan_from_json(fields["plan"]))
            case "photo":
                self.digests[fields["photo"]] = fields["sha256"]
            case "prepare_begin":
                self._preparing.add(fields["photo"])
            case "prepare_end":
                self._take_prepared(fields)
            case "paused" | "end":
                self._take_end(entry)
            case _:
                self._take_shot(entry)
        if entry.event not in ("paused", "end"):
            self.state, self.reason, self.ended_at = "running", None, None

    def _take_plan(self, plan: Plan) -> None:
        self.plan = plan
        known, self.shots = self.shots, {}
        for shot in plan.shots:
            self.shots[shot.id] = known[shot.id] if shot.id in known else self._new_shot(shot.id)
        self.shots.update(
            {shot_id: shot for shot_id, shot in known.items() if shot_id not in self.shots}
        )

    def _take_prepared(self, fields: Mapping[str, Any]) -> None:
        photo = fields["photo"]
        self._preparing.discard(photo)
        # It came through: what it was suspected of, it did not do.
        self.deaths.pop(photo, None)
        self.digests[photo] = fields["sha256"]
        self.prepared[photo] = fields

    def _take_end(self, entry: Entry) -> None:
        self._preparing.clear()
        self.state = entry.fields["state"] if entry.event == "end" else "paused"
        self.reason = entry.fields.get("reason")
        self.ended_at = entry.at if entry.event == "end" else None

    def _take_shot(self, entry: Entry) -> None:
        shot_id = entry.fields["shot"]
        if not isinstance(shot_id, str):
            raise TypeError("the shot's id is no text")
        shot = self.shots.get(shot_id) or self._new_shot(shot_id)
        before = shot.state, shot.pictures, shot.images_billed, shot.cost_micro_usd
        try:
            shot.apply(entry)
        finally:
            self._recount(shot, *before)

    def _recount(
        self, shot: ShotHistory, state: ShotState, pictures: int, billed: int, cost: int
    ) -> None:
        self._by_state[state] -= 1
        self._by_state[shot.state] += 1
        self._pictures += shot.pictures - pictures
        self._images_billed += shot.images_billed - billed
        self._cost_micro_usd += shot.cost_micro_usd - cost
        for picture in shot.settled():
            self._pending.pop((shot.id, picture), None)
        for answered in shot.pending:
            self._pending.setdefault((shot.id, answered.number), answered)
        if shot.is_in_flight:
            self._open[shot.id] = None
        else:
            self._open.pop(shot.id, None)

    def _new_shot(self, shot_id: str) -> ShotHistory:
        shot = self.shots[shot_id] = ShotHistory(shot_id)
        self._by_state[shot.state] += 1
        return shot
