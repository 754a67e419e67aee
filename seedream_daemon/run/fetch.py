"""An answered picture -> a file in the session."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import anyio

from seedream_daemon.ark.backoff import wait_s
from seedream_daemon.ark.results import (
    DownloadError,
    PictureTooLargeError,
    ResultHostError,
    UrlGoneError,
)
from seedream_daemon.events import FetchRetrying, PictureSaved
from seedream_daemon.job.plan import Shot
from seedream_daemon.run.context import DISK_FULL, JobContext
from seedream_daemon.run.room import LOOK_AGAIN_S
from seedream_daemon.session.deleted import URL_LIFE
from seedream_daemon.session.pictures import PictureBrokenError
from seedream_daemon.session.shot_facts import AnsweredPicture
from seedream_daemon.session.shot_history import ShotHistory

TRIES_WHEN_GONE = 3
TRIES = 10
TRIES_WHEN_STOPPING = 3


class Fetched(Enum):
    """How fetching a picture ended."""

    SAVED = "saved"
    LOST = "lost"
    FOREIGN = "result_host"
    TOO_LARGE = "result_too_large"
    LEFT = "not_fetched"


# Fetching again would end in the same way.
_FINAL: dict[type[Exception], Fetched] = {
    ResultHostError: Fetched.FOREIGN,
    PictureTooLargeError: Fetched.TOO_LARGE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """How fetching ended and, where it did not go well, why."""

    end: Fetched
    message: str = ""


async def fetch_picture(context: JobContext, shot: Shot, picture: AnsweredPicture) -> Fetch:
    """Fetch and keep a picture that is paid for, trying again while that can help.

    A picture whose address is gone is journaled as lost. One that could not be had now stays
    answered: the next start of the session tries again.
    """
    means, session = context.means, context.session
    tries = {UrlGoneError: 0, PictureBrokenError: 0, DownloadError: 0}
    while True:
        began = anyio.current_time()
        try:
            async with means.fetching:
                draft = session.draft(shot.id, picture.number)
                size = await means.fetcher.fetch(picture.url, draft)
                kept = await session.keep(
                    draft, shot=shot.id, number=picture.number, stem=shot.stem, url=picture.url
                )
        except (ResultHostError, PictureTooLargeError) as error:
            return Fetch(end=_FINAL[type(error)], message=str(error))
        except OSError as error:
            if error.errno in DISK_FULL:
                # It is paid for: it waits for room, and gives up only when the service stops.
                means.room.tell_full(session.path)
                if means.gate.closed:
                    return Fetch(end=Fetched.LEFT, message=str(error))
                await anyio.sleep(LOOK_AGAIN_S)
                continue
            tries[DownloadError] += 1
            failure: Exception = error
        except (UrlGoneError, PictureBrokenError, DownloadError) as error:
            tries[type(error)] += 1
            failure = error
        else:
            means.emit(
                PictureSaved(
                    job_id=context.job_id,
                    shot=shot.id,
                    path=str(session.path / kept.file),
                    bytes=size,
                    seconds=anyio.current_time() - began,
                )
            )
            return Fetch(end=Fetched.SAVED)
        if _is_gone(picture, tries):
            message = _loss(context.of(shot), failure)
            await context.journal(
                "lost", shot=shot.id, number=picture.number, code="lost", message=message
            )
            return Fetch(end=Fetched.LOST, message=message)
        total = sum(tries.values())
        if total >= (TRIES_WHEN_STOPPING if means.gate.closed else TRIES):
            return Fetch(end=Fetched.LEFT, message=str(failure))
        wait = wait_s(total, None, means.chance())
        means.emit(
            FetchRetrying(job_id=context.job_id, shot=shot.id, message=str(failure), wait_s=wait)
        )
        await anyio.sleep(wait)


def _loss(shot: ShotHistory, failure: Exception) -> str:
    if not shot.was_deleted:
        return str(failure)
    return f"{failure} It was deleted from the session; retry has it made anew, which costs money."


def _is_gone(picture: AnsweredPicture, tries: dict[type[Exception], int]) -> bool:
    old = datetime.now(UTC) - datetime.fromisoformat(picture.answered_at) > URL_LIFE
    return tries[UrlGoneError] >= TRIES_WHEN_GONE or (old and sum(tries.values()) > 0)
