"""What a job's document says in words: why it stands as it does, and what is safe to do next.

No text of a drop and none of the service stands in these sentences.
"""

from seedream_daemon.tools.stories import Story

_PAUSED = {
    "account": "The image service refuses the account: the key, the model or the credit.",
    "disk": "There is too little room on the disk.",
    "inbox": "The inbox is not there; its disk may not be mounted.",
    "budget": "A budget of the day is reached.",
    "stop": "The daemon was stopped.",
    "other": "The job rests for now.",
}
_MEND = {
    "account": "ask the operator to run `seedream-daemon doctor`",
    "disk": "ask the operator to make room",
    "inbox": "ask the operator to mount its disk",
    "budget": "wait until tomorrow, or ask the operator",
    "stop": "ask again in about 30 s",
    "other": "ask again in about 60 s",
}


def reason_of(story: Story) -> str | None:
    """Say why a job stands as it does; None for one that goes well."""
    counts = story.counts
    match story.state:
        case "waiting":
            return "It settles in the inbox, or waits for its turn."
        case "paused":
            return _PAUSED[story.rest or "other"]
        case "cancelled":
            return "The job was cancelled."
        case "failed" if counts is None:
            return "The job was refused before anything was sent."
        case "failed" if counts is not None:
            parts = [
                f"{number} {what}"
                for number, what in (
                    (counts.failed, "failed"),
                    (counts.in_doubt, "in doubt (asked for, and no answer came)"),
                    (counts.lost, "lost (paid for, and not fetched in time)"),
                    (counts.answered, "paid for and not fetched yet"),
                    (counts.planned, "not asked for, because a limit of money was reached"),
                )
                if number
            ]
            return f"{counts.saved} of {counts.shots} shots are saved; {', '.join(parts)}."
    return None


def next_step(story: Story, *, eta_s: float | None, retry_usd: float | None) -> str:
    """Say what is safe to do next."""
    match story.state:
        case "waiting" | "running":
            wait = f"about {max(1, round(eta_s))} s" if eta_s else "a few seconds"
            return f"Ask again in {wait} with get_job; do not submit again."
        case "paused":
            return (
                f"It goes on by itself once this is mended: {_MEND[story.rest or 'other']}. "
                "Do not submit again."
            )
        case "done":
            return "All is saved where session_path says; look at it with view_image."
    if story.counts is None:
        if story.state == "cancelled":
            return "Nothing was sent; submit it anew if it is still wanted."
        return "check_job tells its mistakes; mend them, then submit it anew."
    return _after_failure(story, retry_usd)


def _after_failure(story: Story, retry_usd: float | None) -> str:
    counts, refused = story.counts, story.refused
    assert counts is not None  # noqa: S101 - the caller looked
    missing = counts.shots - counts.saved - refused
    parts = [f"{counts.saved} of {counts.shots} shots are saved where session_path says."]
    if missing:
        price = f" (at most ${retry_usd:.2f})" if retry_usd is not None else ""
        what = "the missing one" if missing == 1 else f"the {missing} missing ones"
        parts.append(f"retry_job asks only for {what}{price}.")
    if refused:
        what = "1 was" if refused == 1 else f"{refused} were"
        parts.append(
            f"{what} refused for the content: word the prompt differently, or retry_job with shot."
        )
    return " ".join((*parts, "Do not submit again.") if missing else parts)


def progress_text(story: Story, *, per_minute: float, eta_s: float | None) -> str:
    """Say in one line how far a job is."""
    counts = story.counts
    if counts is None:
        return story.state
    bad = counts.failed + counts.in_doubt + counts.lost
    parts = [f"{counts.saved}/{counts.shots} saved"]
    parts += [f"{bad} failed"] if bad else []
    parts += [f"{per_minute:.0f}/min"] if per_minute >= 1 else []
    parts += [f"about {max(1, round(eta_s))} s"] if eta_s else []
    return ", ".join(parts)
