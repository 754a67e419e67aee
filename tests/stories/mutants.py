"""The program with one of its promises broken on purpose: `python mutants.py NAME run FOLDER`.

The tests that kill the program must turn red for each of these; otherwise they prove nothing.
"""

import sys

import anyio.to_thread

from seedream_daemon.cli.main import main
from seedream_daemon.failpoints import failpoint
from seedream_daemon.run.ask import Asker
from seedream_daemon.session.history import History
from seedream_daemon.session.journal import Entry
from seedream_daemon.session.pictures import publish
from seedream_daemon.session.store import SessionWriter


def url_not_persisted() -> None:
    """The answer is believed in memory only; its address is not on disk when the download runs."""
    honest = SessionWriter.append

    async def append(self, event, *, durable=True, **fields):
        if event != "answer":
            await honest(self, event, durable=durable, **fields)
            return
        failpoint("before_answer_record")
        history: History = self.history
        history.apply(Entry(seq=0, at="2026-01-01T00:00:00+00:00", event=event, fields=fields))
        failpoint("after_answer_record")

    SessionWriter.append = append


def no_record_before_request() -> None:
    """The request leaves before anything on disk says so."""
    honest = SessionWriter.append

    async def append(self, event, *, durable=True, **fields):
        if event != "sending":
            await honest(self, event, durable=durable, **fields)
            return
        self.history.apply(Entry(seq=0, at="2026-01-01T00:00:00+00:00", event=event, fields=fields))

    SessionWriter.append = append
    assert Asker  # the record is written by Asker through SessionWriter.append


def saved_before_rename() -> None:
    """The journal says that a picture is there before it has its name."""

    async def keep(self, draft, shot, name, event, **fields):
        failpoint("after_draft")
        file = f"{name.stem}.jpg"
        facts = {"bytes": 1, "sha256": "0" * 64, "width": 1, "height": 1}
        await self.append(event, shot=shot, number=name.number, file=file, **facts, **fields)
        return await anyio.to_thread.run_sync(
            lambda: publish(draft, self.path, name, is_known=self._files.__contains__)
        )

    SessionWriter._keep = keep


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    main(sys.argv[2:])
