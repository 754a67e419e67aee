import base64
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.emulator.intake import Intake
from seedream_daemon.emulator.refusal import RefusalError


def taken(body: bytes, cuts: list[int]) -> tuple[dict, list[bytes]]:
    """Feed a body cut at these places; its fields with photo keys, and the photos' bytes."""
    intake = Intake()
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for begin, end in itertools.pairwise(places):
        intake.feed(body[begin:end])
    read = intake.finish()
    contents = []
    for photo in read.photos.values():
        photo.file.seek(0)
        contents.append(photo.file.read())
        assert not photo.is_broken
    fields = dict(read.fields)
    assert fields.pop("image") == list(read.photos)
    read.close()
    return fields, contents


@given(
    prompt=st.text(max_size=40),
    photos=st.lists(st.binary(min_size=1, max_size=400), max_size=3),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
)
def test_any_cut_gives_the_same_fields_and_photos(prompt, photos, cuts):
    urls = [f"data:image/png;base64,{base64.b64encode(photo).decode()}" for photo in photos]
    body = json.dumps({"prompt": prompt, "image": urls, "n": 1}).encode()
    assert taken(body, cuts) == ({"prompt": prompt, "n": 1}, photos)


def test_single_bytes_give_the_same():
    body = b'{"prompt":"p","image":["data:image/png;base64,aGFsbG8="]}'
    assert taken(body, list(range(len(body)))) == ({"prompt": "p"}, [b"hallo"])


def test_a_photo_quoted_inside_a_text_stays_text():
    text = 'look: "data:image/png;base64,AAAA" there'
    body = json.dumps({"prompt": text, "image": []}).encode()
    assert taken(body, list(range(len(body)))) == ({"prompt": text}, [])


def test_too_much_text_is_refused():
    with pytest.raises(RefusalError):
        Intake().feed(b'{"prompt": "' + b"x" * (9 << 20))
