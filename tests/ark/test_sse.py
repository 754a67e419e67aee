import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.ark.sse import EventTooLargeError, ServerEvent, SseDecoder

TRANSCRIPT = (
    "\ufeff: hello\n"
    "event: image_generation.partial_succeeded\n"
    'data: {"type":"x",\n'
    'data: "url":"https://h/사진.jpg"}\n'
    "\n"
    ": keep-alive\n"
    "\n"
    "id: 7\n"
    "retry: 10\n"
    "data\n"
    "data:no space\n"
    "\n"
    "event: nothing to tell\n"
    "\n"
    "data: [DONE]\n"
    "\n"
)
EVENTS = [
    ServerEvent(
        type="image_generation.partial_succeeded",
        data='{"type":"x",\n"url":"https://h/사진.jpg"}',
    ),
    ServerEvent(type="", data="\nno space"),
    ServerEvent(type="", data="[DONE]"),
]


def decode(pieces):
    decoder = SseDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.finish()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending_and_single_bytes_give_the_same_events(ending):
    raw = TRANSCRIPT.replace("\n", ending).encode()
    assert decode([raw]) == EVENTS
    assert decode([raw[at : at + 1] for at in range(len(raw))]) == EVENTS


@given(
    cuts=st.lists(st.integers(0, 400), max_size=12),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_cut_gives_the_same_events(cuts, ending):
    raw = TRANSCRIPT.replace("\n", ending).encode()
    edges = sorted({0, len(raw), *(min(cut, len(raw)) for cut in cuts)})
    pieces = [raw[start:end] for start, end in pairwise(edges)]
    assert decode([*pieces, b""]) == EVENTS


def test_an_event_is_there_as_soon_as_its_blank_line_is():
    decoder = SseDecoder()
    assert decoder.feed(b"data: 1\r\n\r") == [ServerEvent(type="", data="1")]
    assert decoder.feed(b"\ndata: 2\n\n") == [ServerEvent(type="", data="2")]


def test_the_last_event_counts_without_its_blank_line():
    assert decode([b"data: 1\n\ndata: 2"]) == [
        ServerEvent(type="", data="1"),
        ServerEvent(type="", data="2"),
    ]


def seconds_for(size):
    piece = b"x" * 1000
    decoder = SseDecoder()
    started = time.process_time()
    decoder.feed(b"data: ")
    for _ in range(size // len(piece)):
        assert decoder.feed(piece) == []
    (event,) = decoder.feed(b"\n\n")
    assert len(event.data) == size
    return time.process_time() - started


def test_the_cost_of_an_event_is_linear_in_its_size():
    seconds_for(1_000_000)
    small = min(seconds_for(2_000_000) for _ in range(3))
    large = min(seconds_for(32_000_000) for _ in range(3))
    assert large < small * 16 * 6 + 0.05  # 256 times would be quadratic


def feed_often(decoder, piece):
    for _ in range(20):
        decoder.feed(piece)


@pytest.mark.parametrize("piece", [b"data: aaaaaaaaaa", b"data: aaaaa\ndata: a\n"])
def test_an_event_that_never_ends_is_given_up(piece):
    decoder = SseDecoder(max_event_bytes=100)
    with pytest.raises(EventTooLargeError):
        feed_often(decoder, piece)
