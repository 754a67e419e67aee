from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.spend.line import decode, encode

FIELDS = st.dictionaries(
    st.text(), st.none() | st.integers() | st.text() | st.booleans(), min_size=1
)


@given(FIELDS)
def test_a_line_comes_back_as_it_went_and_is_one_line(fields):
    line = encode(fields)
    assert line.count(b"\n") == 1
    assert decode(line[:-1]) == fields


@given(FIELDS, st.data())
def test_a_torn_line_is_known(fields, data):
    line = encode(fields)[:-1]
    cut = data.draw(st.integers(0, len(line) - 1))
    assert decode(line[:cut]) is None


def test_an_altered_line_is_known():
    line = encode({"event": "settle", "micro_usd": 30000})
    assert decode(line[:-1].replace(b"30000", b"10000")) is None
    assert decode(b"") is None
    assert decode(b'[1],"crc":"00000000"}') is None
