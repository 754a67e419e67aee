"""Bytes -> server-sent events, however the network cuts them.

The rules are those of the HTML standard (9.2.6, "Interpreting an event stream"). No I/O: feed what
came, get a list of what is complete.
"""

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(Exception):
    """One event is larger than can be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event: its `event` field ("" if it had none) and its `data` lines joined by LF."""

    type: str
    data: str


class SseDecoder:
    """Turn pieces of a stream into events. Its cost is linear in the bytes, also for large events.

    *max_event_bytes* bounds the memory that one event may take.
    """

    def __init__(self, *, max_event_bytes: int = 128_000_000) -> None:
        self._max_event_bytes = max_event_bytes
        self._line: list[bytes] = []  # the pieces of the line that is not complete yet
        self._data: list[bytes] = []
        self._type = b""
        self._held_bytes = 0
        self._after_cr = False
        self._first = True

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Return the events that *piece* completes; raise EventTooLargeError."""
        if self._after_cr and piece:
            # CR LF may be cut in two: the LF then belongs to the CR that already ended the line.
            self._after_cr = False
            piece = piece[1:] if piece[:1] == b"\n" else piece
        events: list[ServerEvent] = []
        lines = _split(piece)
        for line in lines[:-1]:
            self._hold(line)
            self._end_line(events)
        self._hold(lines[-1])
        self._after_cr = piece.endswith(b"\r")
        return events

    def finish(self) -> list[ServerEvent]:
        """Return the event that the end of the stream completes.

        The standard drops an event without a blank line after it. Here it is kept when its last
        line is whole or is all there is: a picture that is paid for may stand in it. What cannot
        be read is for the caller to judge.
        """
        events: list[ServerEvent] = []
        if self._line:
            self._end_line(events)
        self._dispatch(events)
        return events

    def _hold(self, rest: bytes) -> None:
        if not rest:
            return
        self._line.append(rest)
        self._held_bytes += len(rest)
        if self._held_bytes > self._max_event_bytes:
            raise EventTooLargeError(
                f"an event of the answer has more than {self._max_event_bytes} bytes"
            )

    def _end_line(self, events: list[ServerEvent]) -> None:
        line = b"".join(self._line)
        self._line.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value

    def _dispatch(self, events: list[ServerEvent]) -> None:
        if self._data:
            data = b"\n".join(self._data)
            events.append(
                ServerEvent(
                    type=self._type.decode("utf-8", "replace"),
                    data=data.decode("utf-8", "replace"),
                )
            )
        self._data.clear()
        self._type = b""
        self._held_bytes = 0


def _split(piece: bytes) -> list[bytes]:
    # bytes.splitlines also knows only LF, CR and CR LF, but not whether the last line was ended.
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return piece.split(b"\n")
