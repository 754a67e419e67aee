"""Sights of a drop over time -> when it is whole, and why not yet. Pure: the caller brings `now`.

A drop is looked at again and again. Once it has stood still for long enough, or something says
that nothing more will come, its contents are checked; only then is it claimed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NO_JOB_AFTER_S = 300.0
CUT_SHORT_PATIENCE = 10  # times the settle time
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A drop as it lies there now.

    `tree` holds size and mtime in ns of every file, (-1, 0) for a folder, by path relative to
    the drop. `identity` is that of the folder itself, whatever its name. `ready` says that an
    empty READY lies in it. `age_s` is how long ago the clock of the calendar says that anything
    changed; None where that clock cannot be believed.
    """

    tree: Mapping[str, tuple[int, int]]
    identity: tuple[int, int]
    photos: int
    has_job: bool
    ready: bool = False
    age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wholeness:
    """What a check of a drop's contents found.

    `reason` says what is still missing, and is waited for without end. `cut_short` names files
    that do not end as they should: after 10 settle times without a change the job runs, or is
    refused, as they are.
    """

    ok: bool
    reason: str | None = None
    cut_short: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Not yet: why, and in how many seconds another look is due.

    `ends` says that time alone will end the wait; else somebody has to do something. `overdue`
    marks what a person should be told at once.
    """

    reason: str
    again_s: float
    ends: bool = False
    overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The drop stands still: check its contents and tell `checked`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The drop is whole; `cut_short` names the files that never will be."""

    cut_short: tuple[str, ...] = ()


Decision = Wait | Check | Claim


class Settling:
    """One drop on its way to being whole.

    Times are seconds of a clock that never goes back. `absent_s` is when the drop was last known
    not to be there; None if nobody looked.
    """

    def __init__(self, *, settle_s: float, absent_s: float | None = None) -> None:
        self._settle_s = settle_s
        self._seen_s = absent_s
        self._first_s: float | None = None
        self._since_s = 0.0
        self._sight: Sight | None = None
        self._changes = 0
        self._moving: tuple[str, ...] = ()
        self._moved_in = False
        self._hurried = False
        self._checked: Wholeness | None = None

    def hurry(self) -> None:
        """Wait no longer for quiet, as if READY lay in the drop."""
        self._hurried = True

    def moved_in(self) -> None:
        """Believe that the drop was renamed in from outside, complete; a change takes it back."""
        self._moved_in = True

    def restart(self) -> None:
        """Begin to wait anew: the drop was renamed, or moved while it was claimed."""
        self._sight = None
        self._seen_s = None
        self._moved_in = False

    def look(self, sight: Sight, now_s: float, *, rest_of: str | None = None) -> Decision:
        """Say what to do about the drop as it lies there now.

        `rest_of` names a drop that has started and had the same name: without a job.toml this
        one looks like its rest.
        """
        if self._first_s is None:
            self._first_s = now_s
        if self._sight is None or not _same(self._sight, sight):
            self._note_change(sight, now_s)
        self._sight, self._seen_s = sight, now_s
        if not sight.has_job:
            return self._wait_for_job(sight, now_s, rest_of)
        left_s = self._left_s(sight, now_s)
        if left_s > 0:
            again_s = min(left_s, self._pause_s(now_s))
            return Wait(reason=self._what_moves(sight), again_s=again_s, ends=True)
        if self._checked is None:
            return Check()
        return self._judge(self._checked, now_s)

    def checked(self, result: Wholeness) -> None:
        """Take what the check of the drop found; it holds until the drop changes."""
        self._checked = result

    def _note_change(self, sight: Sight, now_s: float) -> None:
        self._moving = () if self._sight is None else _changed(self._sight.tree, sight.tree)
        self._changes = 0 if self._sight is None else self._changes + 1
        self._since_s = self._changed_at(sight, now_s)
        self._checked = None

    def _changed_at(self, sight: Sight, now_s: float) -> float:
        # The change lies between two looks. The calendar may place it there, so that the wait
        # does not begin late; it may have been set, so it never takes away more than half.
        if sight.age_s is None or sight.age_s < 0 or self._seen_s is None:
            return now_s
        return max(self._seen_s, now_s - sight.age_s, now_s - self._settle_s / 2)

    def _left_s(self, sight: Sight, now_s: float) -> float:
        if sight.ready or self._hurried or (self._moved_in and not self._changes):
            return 0.0
        return self._since_s + self._settle_s - now_s

    def _pause_s(self, now_s: float) -> float:
        """Look often while things move, more rarely the longer a drop stands still."""
        often = min(1.0, max(0.05, self._settle_s / 20))
        rarely = max(often, self._settle_s / 2)
        return min(rarely, max(often, (now_s - self._since_s) / 20))

    def _wait_for_job(self, sight: Sight, now_s: float, rest_of: str | None) -> Wait:
        pause_s = self._pause_s(now_s)
        if rest_of is not None:
            reason = (
                f"looks like the rest of {rest_of}, which has already started; move the files "
                f"into a folder of their own with a job.toml, or remove it"
            )
            return Wait(reason=reason, again_s=pause_s, overdue=True)
        waited_s = now_s - (self._first_s or 0.0)
        if waited_s >= NO_JOB_AFTER_S:
            reason = (
                f"no job.toml after {int(waited_s // 60)} minutes, {_photos(sight.photos)} so far; "
                "put a job.toml into the folder"
            )
            return Wait(reason=reason, again_s=pause_s, overdue=True)
        return Wait(
            reason=f"no job.toml yet, {_photos(sight.photos)} so far",
            again_s=pause_s,
            ends=now_s < self._since_s + self._settle_s,
        )

    def _what_moves(self, sight: Sight) -> str:
        so_far = f"{_photos(sight.photos)} so far"
        growing = [name for name in self._moving if name in sight.tree]
        if growing:
            return f"{_some(growing)} still growing, {so_far}"
        return f"standing still for less than {self._settle_s:g} s, {so_far}"

    def _judge(self, result: Wholeness, now_s: float) -> Decision:
        if result.ok:
            return Claim()
        if result.reason is not None:
            return Wait(reason=result.reason, again_s=self._pause_s(now_s))
        quiet_s = now_s - self._since_s
        left_s = CUT_SHORT_PATIENCE * self._settle_s - quiet_s
        if left_s <= 0:
            return Claim(cut_short=result.cut_short)
        reason = f"{_some(result.cut_short)} cut short, perhaps still arriving"
        return Wait(reason=reason, again_s=min(left_s, self._pause_s(now_s)), ends=True)


def _same(one: Sight, other: Sight) -> bool:
    return one.identity == other.identity and one.tree == other.tree


def _changed(
    before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]
) -> tuple[str, ...]:
    return tuple(
        name for name, facts in after.items() if facts[0] >= 0 and before.get(name) != facts
    )


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = len(listed) - _MOST_NAMED
    shown = ", ".join(listed[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{shown} {'is' if len(listed) == 1 else 'are'}"


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"
