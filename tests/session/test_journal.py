import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.session.journal import BadLineError, Entry, decode, encode, read_journal

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text().filter(lambda name: name not in ("seq", "at", "event", "crc"))
ENTRIES = st.builds(
    Entry,
    seq=st.integers(0, 10**9),
    at=st.text(),
    event=st.text(),
    fields=st.dictionaries(NAMES, JSON, max_size=4),
)


def entry(seq: int = 1, **fields) -> Entry:
    return Entry(seq=seq, at="2025-09-12T14:30:12.000+09:00", event="saved", fields=fields)


def read(content: bytes) -> tuple[list[int], list[tuple[int, str]]]:
    seen: list[Entry] = []
    bad = read_journal(content.splitlines(keepends=True), seen.append)
    return [one.seq for one in seen], [(one.line, one.why) for one in bad]


def test_a_line_is_as_the_format_says():
    line = encode(entry(3, shot="사진"))
    body, crc = line.rsplit(b',"crc":"', 1)
    assert (
        body.decode()
        == '{"seq":3,"at":"2025-09-12T14:30:12.000+09:00","event":"saved","shot":"사진"'
    )
    assert crc == b'%08x"}\n' % zlib.crc32(body)
    assert json.loads(line)["shot"] == "사진"


@given(ENTRIES)
def test_what_is_written_is_read(one):
    line = encode(one)
    assert line.count(b"\n") == 1
    assert decode(line) == one


@given(ENTRIES, st.data())
def test_no_changed_byte_goes_unseen(one, data):
    line = bytearray(encode(one)[:-1])
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadLineError):
        decode(bytes(line).replace(b"\n", b" "))


def test_fields_that_look_like_a_crc_do_no_harm():
    one = entry(shot='","crc":"00000000"}', other={"crc": "x"})
    assert decode(encode(one)) == one


def test_a_name_that_is_no_utf8_comes_back():
    one = entry(photo="a\udcff.jpg")
    assert decode(encode(one)) == one


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(entry(x=value))


@pytest.mark.parametrize("name", ["crc", "seq"])
def test_a_field_may_not_take_the_name_of_a_key(name):
    with pytest.raises(ValueError, match=f"A field of saved cannot be called {name}"):
        encode(Entry(seq=1, at="", event="saved", fields={name: 1}))


def test_a_torn_tail_of_any_length_is_dropped_without_a_word():
    whole = b"".join(encode(entry(seq, shot="x")) for seq in (1, 2, 3))
    start = whole.rindex(b'{"seq":3')
    for end in range(start, len(whole) - 1):
        assert read(whole[:end]) == ([1, 2], [])
    assert read(whole[:-1]) == ([1, 2, 3], [])
    assert read(whole[:start] + b"\0" * 100) == ([1, 2], [])


def test_a_bad_line_elsewhere_is_skipped_and_reported():
    lines = [encode(entry(seq)) for seq in (1, 2, 3)]
    assert read(lines[0] + lines[1][:20] + b"\n" + lines[2]) == ([1, 3], [(2, "it has no crc")])
    changed = lines[1].replace(b'"seq":2', b'"seq":9')
    assert read(lines[0] + changed + lines[2]) == ([1, 3], [(2, "its crc does not match")])
    body = b"[1" + b'"seq"'
    forged = body + b',"crc":"%08x"}\n' % zlib.crc32(body)
    assert read(forged + lines[2]) == ([3], [(1, "it is not an entry")])


def test_an_empty_file_holds_nothing():
    assert read(b"") == ([], [])
