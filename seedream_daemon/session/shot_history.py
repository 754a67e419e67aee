"""The life of one shot: what was sent, answered, kept, lost. Pure.

          sending        answer            picture (each)
 planned ────────▶ planned ─────▶ answered ─────────────▶ saved
    ▲                  │              └── lost (each) ──▶ lost
    └── sending ── failed | in_doubt | lost

Saved is final, unless its pictures are deleted by hand: then they are answered again, and lost
where they have no address. A shot with a picture and some lost ones is saved.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seedream_daemon.session.journal import Entry
from seedream_daemon.session.shot_facts import (
    DELETED,
    AnsweredPicture,
    Failure,
    KeptPicture,
    Sending,
    ShotState,
)


class ShotHistory:
    """What a shot has been through; `fingerprint` is that of its latest sending.

    `attempts` and `doubts` count over its whole life, `losses` how often it was asked again since
    all its pictures were lost, `images_billed` and `cost_micro_usd` too.
    `failure` is the latest, None once the shot is saved or sent again.
    """

    __slots__ = (
        "_billed_before",
        "_cost_before",
        "_done",
        "_verdict",
        "attempts",
        "cost_micro_usd",
        "doubts",
        "failure",
        "fingerprint",
        "id",
        "images_billed",
        "kept",
        "losses",
        "lost",
        "pending",
        "sending",
        "state",
        "was_deleted",
    )

    def __init__(self, shot_id: str) -> None:
        self.id = shot_id
        self.state = ShotState.PLANNED
        self.attempts = 0
        self.doubts = 0
        self.losses = 0
        self.fingerprint: str | None = None
        self.sending: Sending | None = None
        self.kept: tuple[KeptPicture, ...] = ()
        self.pending: tuple[AnsweredPicture, ...] = ()
        self.lost: tuple[int, ...] = ()
        self.failure: Failure | None = None
        self.was_deleted = False
        self.images_billed = 0
        self.cost_micro_usd = 0
        self._billed_before = 0
        self._cost_before = 0
        self._done = False
        self._verdict: ShotState | None = None

    @property
    def pictures(self) -> int:
        """How many pictures are on disk."""
        return len(self.kept)

    @property
    def may_be_asked_again(self) -> bool:
        """Whether an in-doubt or lost shot was not yet asked again by itself: once in its life.

        Never one that was saved and deleted: paying twice for it takes a person's word.
        """
        if self.was_deleted:
            return False
        in_doubt = self.state is ShotState.IN_DOUBT
        return self.doubts - in_doubt + self.losses == 0

    @property
    def is_in_flight(self) -> bool:
        """Whether its latest request has no end yet."""
        return self.sending is not None and not self._done and self.state is not ShotState.SAVED

    @property
    def last_bill(self) -> tuple[int, int] | None:
        """Images and micro-dollars of its latest request; None while its answer is not whole."""
        if not self._done:
            return None
        return self.images_billed - self._billed_before, self.cost_micro_usd - self._cost_before

    def settled(self) -> tuple[int, ...]:
        """Give the numbers of the pictures that need no fetching: kept or lost."""
        return (*(picture.number for picture in self.kept), *self.lost)

    def free_number(self) -> int:
        """Give the lowest number that no picture on disk or to be fetched has."""
        taken = {picture.number for picture in self.kept}
        taken.update(picture.number for picture in self.pending)
        return next(number for number in range(1, len(taken) + 2) if number not in taken)

    def apply(self, entry: Entry) -> None:
        """Take the next entry about this shot in; raises like any reading of unknown JSON."""
        take = _TAKERS.get(entry.event)
        if take is not None:
            take(self, entry)
            self._judge()

    def _judge(self) -> None:
        if self.state is ShotState.SAVED or self._verdict is ShotState.SAVED:
            self.state = ShotState.SAVED
        elif self.pending and self._verdict is None:
            self.state = ShotState.ANSWERED
        elif self._done and self.kept:
            self.state = ShotState.SAVED
        elif self._verdict is not None:
            self.state = self._verdict
        else:
            self.state = ShotState.LOST if self._done and self.lost else ShotState.PLANNED
        if self.state is ShotState.SAVED:
            self.failure = None

    def _take_sending(self, entry: Entry) -> None:
        fields = entry.fields
        self.sending = Sending(
            shot=self.id,
            request_id=str(fields["request_id"]),
            attempt=int(fields["attempt"]),
            count=int(fields.get("count") or 1),
            price_micro_usd=int(fields.get("price_micro_usd") or 0),
            at=entry.at,
        )
        self.attempts += 1
        self.losses += self.state is ShotState.LOST
        self.fingerprint = fields.get("fingerprint")
        self._billed_before, self._cost_before = self.images_billed, self.cost_micro_usd
        self.failure, self.lost, self._done, self._verdict = None, (), False, None
        self.was_deleted = False

    def _take_answer(self, entry: Entry) -> None:
        fields = entry.fields
        told = [self._answered(entry, picture) for picture in fields["pictures"]]
        known = {picture.number for picture in self.kept}
        fresh = {picture.number: picture for picture in told if picture.number not in known}
        kept_waiting = (picture for picture in self.pending if picture.number not in fresh)
        self.pending = (*kept_waiting, *fresh.values())
        self.lost = tuple(number for number in self.lost if number not in fresh)
        if self.sending is not None:
            total = self.sending.pictures_told + len(told)
            self.sending = replace(self.sending, pictures_told=total)
            self._bill(self.sending, fields)
        self._done = self._done or bool(fields["done"])

    def _answered(self, entry: Entry, picture: Mapping[str, Any]) -> AnsweredPicture:
        return AnsweredPicture(
            shot=self.id,
            number=int(picture["number"]),
            index=int(picture["index"]),
            url=str(picture["url"]),
            size=picture.get("size"),
            request_id=str(entry.fields.get("request_id", "")),
            answered_at=entry.at,
            server_time=entry.fields.get("server_time"),
        )

    def _bill(self, sending: Sending, fields: Mapping[str, Any]) -> None:
        said = fields.get("images") if fields["done"] else None
        billed = said if isinstance(said, int) else sending.pictures_told
        # Rounded up: a cap of money must hold against the sum.
        cost = -(-sending.price_micro_usd * billed // max(sending.count, 1))
        self.images_billed = self._billed_before + billed
        self.cost_micro_usd = self._cost_before + cost

    def _take_picture(self, entry: Entry) -> None:
        fields = entry.fields
        number = int(fields["number"])
        answered = next((one for one in self.pending if one.number == number), None)
        picture = KeptPicture(
            number=number,
            file=str(fields["file"]),
            bytes=int(fields.get("bytes") or 0),
            sha256=str(fields["sha256"]),
            size=answered.size if answered else None,
            url=answered.url if answered else fields.get("url"),
            width=fields.get("width"),
            height=fields.get("height"),
            from_session=fields.get("from_session"),
            answered_at=answered.answered_at if answered else None,
        )
        others = (one for one in self.kept if one.number != number)
        self.kept = tuple(sorted((*others, picture), key=lambda one: one.number))
        self.pending = tuple(one for one in self.pending if one.number != number)
        self.lost = tuple(one for one in self.lost if one != number)

    def _take_adopted(self, entry: Entry) -> None:
        self._take_picture(entry)
        self.fingerprint = entry.fields.get("fingerprint")
        self._verdict = ShotState.SAVED

    def _take_lost(self, entry: Entry) -> None:
        number = int(entry.fields["number"])
        kept = next((picture for picture in self.kept if picture.number == number), None)
        if kept is not None:
            if entry.fields.get("code") != DELETED:
                return
            self._delete(kept)
            if self.pending:
                return
        self.pending = tuple(one for one in self.pending if one.number != number)
        self.lost = (*(one for one in self.lost if one != number), number)
        self._fail(entry, "lost")

    def _delete(self, kept: KeptPicture) -> None:
        self.kept = tuple(picture for picture in self.kept if picture is not kept)
        self.state, self._verdict, self._done = ShotState.PLANNED, None, True
        self.was_deleted = True
        if kept.url is not None and kept.answered_at is not None:
            again = AnsweredPicture(
                shot=self.id,
                number=kept.number,
                index=kept.number - 1,
                url=kept.url,
                size=kept.size,
                request_id=self.sending.request_id if self.sending else "",
                answered_at=kept.answered_at,
                server_time=None,
            )
            self.pending = (*self.pending, again)

    def _take_saved(self, _entry: Entry) -> None:
        self._verdict = ShotState.SAVED

    def _take_failed(self, entry: Entry) -> None:
        self._fail(entry, "failed")
        self._done, self._verdict = True, ShotState.FAILED

    def _take_in_doubt(self, entry: Entry) -> None:
        self.doubts += 1
        self._fail(entry, "in_doubt")
        self._done, self._verdict = True, ShotState.IN_DOUBT

    def _fail(self, entry: Entry, default_code: str) -> None:
        fields = entry.fields
        self.failure = Failure(
            code=str(fields.get("code") or default_code),
            message=str(fields.get("message") or fields.get("why") or ""),
            retryable=bool(fields.get("retryable", not self.was_deleted)),
            request_id=fields.get("request_id"),
        )


_TAKERS = {
    "sending": ShotHistory._take_sending,  # noqa: SLF001 -- its own methods, by the event's name
    "answer": ShotHistory._take_answer,  # noqa: SLF001
    "picture": ShotHistory._take_picture,  # noqa: SLF001
    "adopted": ShotHistory._take_adopted,  # noqa: SLF001
    "saved": ShotHistory._take_saved,  # noqa: SLF001
    "failed": ShotHistory._take_failed,  # noqa: SLF001
    "in_doubt": ShotHistory._take_in_doubt,  # noqa: SLF001
    "lost": ShotHistory._take_lost,  # noqa: SLF001
}
