"""Pictures that were deleted from a session -> the journal, so that they are fetched again."""

import anyio.to_thread

from seedream_daemon.session.deleted import DeletedPicture, advice, deleted_pictures
from seedream_daemon.session.shot_facts import DELETED
from seedream_daemon.session.store import SessionWriter, local_now


async def note_deleted(session: SessionWriter, *, again: frozenset[str] | None) -> tuple[str, ...]:
    """Journal what is missing and may be had again; say what stays missing and why.

    What the service still has costs nothing. What it has not is asked for anew only in the shots
    of `again`, None for all: that is paid. Raises OSError.
    """
    deleted = await anyio.to_thread.run_sync(
        deleted_pictures, session.path, session.history, local_now()
    )
    left: list[DeletedPicture] = []
    for one in deleted:
        is_wanted = one.is_last and (again is None or one.shot in again)
        if not one.can_be_fetched and not is_wanted:
            left.append(one)
            continue
        await session.append(
            "lost",
            shot=one.shot,
            number=one.picture.number,
            code=DELETED,
            message="The picture was deleted from the session.",
            retryable=False,
        )
    return advice(session.path.name, left)
