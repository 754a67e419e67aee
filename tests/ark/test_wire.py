import json

import pytest

from seedream_daemon.ark.wire import (
    NOTHING,
    ArkMemberFailed,
    ArkPicture,
    ArkRefusal,
    ArkRequest,
    NotUnderstoodError,
    body_fields,
    read_answer,
    read_event,
    read_refusal,
)


def test_the_watermark_is_off_and_nothing_unset_is_sent():
    assert body_fields(ArkRequest(model="m", prompt="p")) == {
        "model": "m",
        "prompt": "p",
        "response_format": "url",
        "watermark": False,
    }


def test_every_setting_has_its_field():
    request = ArkRequest(
        model="m",
        prompt="p",
        size="2K",
        stream=True,
        sets=True,
        max_images=4,
        seed=7,
        guidance_scale=2.5,
        output_format="png",
        optimize_prompt="fast",
    )
    assert body_fields(request) == {
        "model": "m",
        "prompt": "p",
        "size": "2K",
        "seed": 7,
        "guidance_scale": 2.5,
        "output_format": "png",
        "optimize_prompt_options": {"mode": "fast"},
        "sequential_image_generation": "auto",
        "sequential_image_generation_options": {"max_images": 4},
        "response_format": "url",
        "watermark": False,
        "stream": True,
    }


def test_one_picture_of_a_model_with_sets_asks_for_no_set():
    fields = body_fields(ArkRequest(model="m", prompt="p", sets=True))
    assert fields["sequential_image_generation"] == "disabled"
    assert "sequential_image_generation_options" not in fields


def test_a_plain_answer_keeps_its_failed_member():
    told = read_answer(
        json.dumps(
            {
                "data": [
                    {"url": "u0", "size": "2048\u00d72048", "new": {}},
                    {"error": {"code": "C", "message": "M"}},
                    {"b64_json": "/9j/"},
                    None,
                    {"url": "u4"},
                ],
                "usage": {"generated_images": 2},
            }
        )
    )
    assert told.pictures == (
        ArkPicture(index=0, url="u0", size="2048x2048"),
        ArkPicture(index=4, url="u4", size=None),
    )
    assert told.failed[0] == ArkMemberFailed(index=1, code="C", message="M")
    assert [member.code for member in told.failed] == ["C", "no_url", "no_url"]
    assert told.generated_images == 2
    assert told.completed


def test_an_error_in_a_200_is_a_refusal():
    told = read_answer('{"model":"m","created":1,"error":{"code":"C","message":"M"}}')
    assert told.refusal == ArkRefusal(code="C", message="M")
    assert told.pictures == ()


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "{}", '{"data":null}', "[" * 100_000])
def test_what_is_no_answer_is_not_understood(text):
    with pytest.raises(NotUnderstoodError):
        read_answer(text)


@pytest.mark.parametrize(
    "usage", [None, {}, {"generated_images": None}, [], {"generated_images": True}]
)
def test_a_missing_usage_is_no_number(usage):
    assert (
        read_answer(json.dumps({"data": [{"url": "u"}], "usage": usage})).generated_images is None
    )


def test_events_tell_pictures_failures_and_the_end():
    picture = read_event(
        "", '{"type":"image_generation.partial_succeeded","image_index":1,"url":"u"}'
    )
    assert picture.pictures == (ArkPicture(index=1, url="u", size=None),)
    failed = read_event(
        "",
        '{"type":"image_generation.partial_failed","image_index":2,"error":{"code":"C","message":"M"}}',
    )
    assert failed.failed == (ArkMemberFailed(index=2, code="C", message="M"),)
    assert not failed.completed
    end = read_event("", '{"type":"image_generation.completed","usage":{"generated_images":1}}')
    assert end.completed
    assert end.generated_images == 1
    assert read_event("", "[DONE]").completed


def test_the_event_line_names_the_kind_where_the_data_does_not():
    told = read_event("image_generation.partial_succeeded", '{"url":"u"}', next_index=3)
    assert told.pictures == (ArkPicture(index=3, url="u", size=None),)


def test_an_error_event_ends_the_answer():
    told = read_event("error", '{"error":{"code":"BadRequest","message":"M"}}')
    assert told.refusal == ArkRefusal(code="BadRequest", message="M")
    assert told.completed


def test_previews_and_new_kinds_tell_nothing():
    assert read_event("", '{"type":"image_generation.partial_image","b64_json":"x"}') is NOTHING
    assert read_event("", '{"type":"image_generation.thinking"}') is NOTHING


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (
            b'{"error":{"code":"C","message":"M","param":"","type":""}}',
            ArkRefusal(code="C", message="M"),
        ),
        (b'{"error":{"type":"BadRequest"}}', ArkRefusal(code="BadRequest", message="")),
        (b'{"error":"words"}', ArkRefusal(code="unknown", message="words")),
        (b"<html>502</html>", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b'{"error":null}', None),
    ],
)
def test_a_refusal_is_read_from_its_envelope(text, refusal):
    assert read_refusal(text) == refusal
