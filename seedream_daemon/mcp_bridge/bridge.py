"""[edge] Copies lines between stdio and the daemon's socket, over the deaths of daemons.

One thread and one select() call. Neither side can block the other: what cannot be written yet is
kept, and no more is read for it than a few messages.
"""

import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from seedream_daemon.mcp_bridge.conversation import (
    PARSE_ERROR,
    Conversation,
    Message,
    RequestId,
    error_line,
    read_line,
)
from seedream_daemon.mcp_bridge.place import Place
from seedream_daemon.mcp_bridge.search import Search
from seedream_daemon.mcp_bridge.stand_in import StandIn, Trouble

PIECE_BYTES = 65_536
# So much may wait for a side that does not read, before the other is no longer read.
MOST_WAITING_BYTES = 4_000_000
LOOK_S = 0.05
# After the host's last word, answers that are nearly there still pass.
LAST_WORDS_S = 0.5


class Lines:
    """Bytes that become whole lines."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """Take a piece; give the lines that are whole now, without their breaks."""
        searched = len(self._rest)
        self._rest += piece
        if self._rest.find(b"\n", searched) < 0:
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        return [line for line in lines if line.strip()]


class Bridge:
    """One host's bridge. `find` says where daemons are, or raises NotConfiguredError.

    `host_in` and `host_out` are file descriptors. `run` returns when the host has gone.
    """

    def __init__(self, find: Callable[[], Place], *, host_in: int, host_out: int) -> None:
        self._in, self._out = host_in, host_out
        self._talk = Conversation()
        self._stand_in = StandIn()
        self._search = Search(find)
        self._state: Literal["seeking", "greeting", "open", "without"] = "seeking"
        self._trouble = Trouble("no_daemon", "No daemon was looked for yet.")
        self._daemon: socket.socket | None = None
        self._hello: RequestId | None = None
        self._held: deque[bytes] = deque()
        self._to_host, self._to_daemon = bytearray(), bytearray()
        self._host_lines, self._daemon_lines = Lines(), Lines()
        self._host_left_s: float | None = None

    def run(self) -> None:
        """Copy until the host has gone; a second after that at the latest."""
        self._search.begin()
        while not self._is_over():
            if self._state == "seeking":
                self._look()
            self._turn()
        if self._daemon is not None:
            self._daemon.close()

    def _turn(self) -> None:
        """Wait until something can be read or written, or it is time to look; do it."""
        reads: list[int | socket.socket] = []
        writes: list[int | socket.socket] = [self._out] if self._to_host else []
        if self._host_left_s is None and len(self._to_daemon) < MOST_WAITING_BYTES:
            reads.append(self._in)
        if self._daemon is not None:
            if len(self._to_host) < MOST_WAITING_BYTES:
                reads.append(self._daemon)
            if self._to_daemon:
                writes.append(self._daemon)
        hurried = self._state == "seeking" or self._host_left_s is not None
        ready, free, _ = select.select(reads, writes, (), LOOK_S if hurried else None)
        if self._out in free:
            self._write_to_host()
        if self._daemon is not None and self._daemon in free:
            self._write_to_daemon()
        if self._daemon is not None and self._daemon in ready:
            self._read_daemon()
        if self._in in ready:
            self._read_host()

    def _read_host(self) -> None:
        piece = os.read(self._in, PIECE_BYTES)
        if not piece:
            self._host_left_s = time.monotonic()
            return
        for line in self._host_lines.feed(piece):
            self._hear(line)

    def _hear(self, line: bytes) -> None:
        """Take one line of the host: pass it on, keep it for a daemon that comes, or answer."""
        message = read_line(line)
        if message is None and self._daemon is not None:
            self._pass_on(line)
        elif message is None:
            self._say(error_line(None, PARSE_ERROR, "That line is no JSON-RPC message."))
        elif self._state in {"open", "greeting"}:
            self._take(line, message)
        elif greeting := self._stand_in.greet(message):
            self._talk.remember(line, message)
            self._say(greeting)
        elif self._state == "seeking":
            self._held.append(line)
        elif message.get("method") == "tools/call":
            # What was wrong may have been mended since.
            self._held.append(line)
            self._state = "seeking"
            self._search.begin()
        else:
            self._stand_in_for(line, message)

    def _take(self, line: bytes, message: Message) -> None:
        if self._state == "greeting":
            self._held.append(line)
        else:
            self._pass_on(self._talk.to_daemon(line, message))

    def _stand_in_for(self, line: bytes, message: Message) -> None:
        self._talk.remember(line, message)
        answer = self._stand_in.answer(message, self._trouble)
        if answer is not None:
            self._say(answer)

    def _read_daemon(self) -> None:
        if self._daemon is None:
            return
        try:
            piece = self._daemon.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._lose()
            return
        for line in self._daemon_lines.feed(piece):
            message = read_line(line)
            if message is None:
                self._say(line)
                continue
            shown = self._talk.to_host(line, message)
            if shown is not None:
                self._say(shown)
            elif self._state == "greeting" and message.get("id") == self._hello:
                self._open()

    def _look(self) -> None:
        """Look for a daemon once; one that the host will not meet any more is not started."""
        found = self._search.look(may_start=self._host_left_s is None)
        if isinstance(found, socket.socket):
            self._meet(found)
        elif found is not None:
            self._do_without(found)

    def _meet(self, daemon: socket.socket) -> None:
        self._daemon, self._daemon_lines = daemon, Lines()
        hello, self._hello = self._talk.replay()
        self._state = "greeting"
        self._pass_on(hello)
        if hello is None:
            self._open()

    def _open(self) -> None:
        """Tell a new daemon the rest of what it must know, and then what has waited for it."""
        self._state = "open"
        for line in self._talk.rest_of_replay():
            self._pass_on(line)
        while self._held:
            self._hear(self._held.popleft())

    def _do_without(self, trouble: Trouble) -> None:
        """Go on without a daemon; the next call of a tool looks again."""
        if trouble.sentence != self._trouble.sentence:
            sys.stderr.write(f"seedream-daemon mcp: {trouble.sentence}\n")
        self._state, self._trouble = "without", trouble
        held, self._held = self._held, deque()
        for line in held:
            message = read_line(line)
            if message is not None:
                self._stand_in_for(line, message)

    def _lose(self) -> None:
        """The daemon went away: say so to whom it owes an answer, and look for the next."""
        if self._daemon is not None:
            self._daemon.close()
        self._daemon = None
        self._to_daemon.clear()
        for line in self._talk.lose():
            self._say(line)
        self._state = "seeking"
        self._search.begin_again()

    def _say(self, line: bytes) -> None:
        self._to_host += line + b"\n"

    def _pass_on(self, line: bytes | None) -> None:
        if line is not None and self._daemon is not None:
            self._to_daemon += line + b"\n"

    def _write_to_host(self) -> None:
        # A pipe that select() calls writable takes this much without blocking, no more is sure.
        written = os.write(self._out, self._to_host[: select.PIPE_BUF])
        del self._to_host[:written]

    def _write_to_daemon(self) -> None:
        if self._daemon is None:
            return
        try:
            written = self._daemon.send(self._to_daemon)
        except BlockingIOError:
            return
        except OSError:
            # It is gone. What it said before can still be read, and then its end.
            self._to_daemon.clear()
            return
        del self._to_daemon[:written]

    def _is_over(self) -> bool:
        if self._host_left_s is None:
            return False
        owes = bool(self._to_host or self._to_daemon) or (
            self._daemon is not None and (bool(self._held) or self._talk.is_owed_answers)
        )
        return not owes or time.monotonic() - self._host_left_s >= LAST_WORDS_S
