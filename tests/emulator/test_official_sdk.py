"""The emulator seen by the official SDK, which knows nothing of this project."""

import base64
import hashlib
import io
import json
import time

import httpx
import pytest
from PIL import Image
from volcenginesdkarkruntime import _exceptions as sdk
from volcenginesdkarkruntime.types.images.images import (
    OptimizePromptOptions,
    SequentialImageGenerationOptions,
)

MODEL = "seedream-4-0-250828"
LITE = "seedream-5-0-260128"
PRO = "dola-seedream-5-0-pro-260628"


def opened(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image


def several(count: int) -> dict:
    return {
        "sequential_image_generation": "auto",
        "sequential_image_generation_options": SequentialImageGenerationOptions(max_images=count),
    }


def test_a_picture_can_be_fetched_from_its_url(emulator, ark):
    started = emulator()
    answer = ark(started.base_url).images.generate(
        model=MODEL, prompt="a lighthouse", size="1280x720", watermark=False
    )
    (picture,) = answer.data
    fetched = httpx.get(picture.url)
    assert fetched.headers["content-type"] == "image/jpeg"
    image = opened(fetched.content)
    assert (image.format, image.size, picture.size) == ("JPEG", (1280, 720), "1280x720")
    assert (answer.model, answer.error) == (MODEL, None)
    assert abs(answer.created - time.time()) < 60
    assert (answer.usage.generated_images, answer.usage.output_tokens) == (1, 3600)


def test_the_bill_says_what_was_paid_for(emulator, ark, photo):
    started = emulator()
    content, url = photo()
    client = ark(started.base_url)
    answer = client.images.generate(
        model=MODEL,
        prompt="등대",
        size="1K",
        image=[url],
        extra_headers={"X-Client-Request-Id": "mine"},
    )
    assert started.bill() == [
        {
            "request_id": "mine",
            "model": MODEL,
            "index": 0,
            "size": "1152x864",
            "prompt_sha256": hashlib.sha256("등대".encode()).hexdigest(),
            "photos": [hashlib.sha256(content).hexdigest()],
            "url": answer.data[0].url,
            "usd": 0.03,
        }
    ]


def test_a_picture_travels_inside_the_answer_if_asked(emulator, ark):
    started = emulator()
    answer = ark(started.base_url).images.generate(
        model=LITE,
        prompt="p",
        size="2560x1440",
        response_format="b64_json",
        output_format="png",
    )
    image = opened(base64.b64decode(answer.data[0].b64_json))
    assert (image.format, image.size, answer.data[0].url) == ("PNG", (2560, 1440), None)
    assert [line["url"] for line in started.bill()] == [None]


@pytest.mark.parametrize(
    ("prompt", "most", "made"),
    [
        ("4 pictures of a cat", 9, 4),
        ("a set of 3: morning, noon, night", 9, 3),
        ("a series of three cats", 9, 3),
        ("five pictures of a cat", 2, 2),
        ("고양이 사진 4장", 9, 4),
        ("a cat with 2 ears", 9, 1),
    ],
)
def test_a_set_has_as_many_pictures_as_the_prompt_says(emulator, ark, prompt, most, made):
    started = emulator()
    answer = ark(started.base_url).images.generate(
        model=MODEL, prompt=prompt, size="1K", **several(most)
    )
    assert len(answer.data) == answer.usage.generated_images == len(started.bill()) == made


def test_photos_and_pictures_are_at_most_fifteen(emulator, ark, photo):
    answer = ark(emulator().base_url).images.generate(
        model=MODEL, prompt="15 pictures", size="1K", image=[photo(64, 64)[1]] * 12, **several(15)
    )
    assert len(answer.data) == 3


def test_a_stream_tells_of_each_picture_and_ends_with_the_usage(emulator, ark):
    started = emulator()
    events = list(
        ark(started.base_url).images.generate(
            model=MODEL, prompt="3 pictures", size="1K", stream=True, **several(5)
        )
    )
    kinds = [event.type.removeprefix("image_generation.") for event in events]
    assert kinds == ["partial_succeeded"] * 3 + ["completed"]
    assert [event.image_index for event in events[:3]] == [0, 1, 2]
    assert [event.url for event in events[:3]] == [line["url"] for line in started.bill()]
    assert events[3].usage == {"generated_images": 3, "output_tokens": 12288, "total_tokens": 12288}


def test_a_stream_is_framed_as_the_live_service_frames_it(emulator):
    body = {"model": MODEL, "prompt": "p", "size": "1K", "stream": True}
    headers = {"Authorization": "Bearer k", "X-Client-Request-Id": "mine"}
    answer = httpx.post(f"{emulator().base_url}/images/generations", json=body, headers=headers)
    first, second, third, rest = answer.text.split("\n\n")
    assert first.startswith(
        'event: image_generation.partial_succeeded\ndata: {"type": "image_generation.partial_succeeded"'
    )
    assert second.startswith("event: image_generation.completed\ndata: {")
    assert (third, rest) == ("data: [DONE]", "")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-client-request-id"] == "mine"
    assert answer.headers["x-request-id"].startswith("02")
    assert "date" in answer.headers


@pytest.mark.parametrize(
    ("ratio", "size"),
    [((800, 600), "2304x1728"), ((900, 1600), "1600x2848"), ((64, 64), "2048x2048")],
)
def test_a_tier_word_takes_the_ratio_of_the_first_photo(emulator, ark, photo, ratio, size):
    answer = ark(emulator().base_url).images.generate(
        model=MODEL, prompt="p", size="2k", image=photo(*ratio)[1]
    )
    assert answer.data[0].size == size


def test_the_same_request_gives_the_same_bytes(emulator, ark, photo):
    client = ark(emulator().base_url)
    url = photo()[1]
    made = [
        client.images.generate(
            model=MODEL, prompt=prompt, size="1K", image=[url], response_format="b64_json"
        )
        .data[0]
        .b64_json
        for prompt in ("same", "same", "other")
    ]
    assert made[0] == made[1] != made[2]


TOO_SMALL = "The parameter `size` specified in the request is not valid: image size must be at least {} pixels."
WORDS = "The parameter `size` specified in the request is not valid: size must be one of {}"
UNSUPPORTED = "The parameter `{}` is not supported by the current model"
IMAGE = "The parameter `image` specified in the request is not valid: {}"
REFUSED = [
    ({"size": "1x1"}, TOO_SMALL.format(921600)),
    ({"size": "800x800"}, TOO_SMALL.format(921600)),
    ({"size": "1024x1024", "model": "seedream-4-5-251128"}, TOO_SMALL.format(3686400)),
    ({"size": "huge"}, WORDS.format("'WIDTHxHEIGHT', '1k', '2k', or '4k'")),
    ({"size": "1K", "model": LITE}, WORDS.format("'WIDTHxHEIGHT', '2k', '3k', or '4k'")),
    ({"guidance_scale": 3.0}, UNSUPPORTED.format("guidance_scale")),
    ({"model": PRO, "stream": True}, UNSUPPORTED.format("stream")),
    (
        {"model": PRO, "sequential_image_generation": "disabled"},
        UNSUPPORTED.format("sequential_image_generation"),
    ),
    ({"output_format": "png"}, UNSUPPORTED.format("output_format")),
    (
        {"model": LITE, "optimize_prompt_options": OptimizePromptOptions(mode="fast")},
        (
            "The parameter `optimize_prompt_options.mode` specified in the request is not valid: "
            "optimize_prompt_options.mode must be 'standard'"
        ),
    ),
    ({"prompt": " "}, "The parameter `prompt` specified in the request is not valid."),
    ({"image": "asset://1"}, IMAGE.format("invalid url specified.")),
    ({"image": ["x"] * 15}, IMAGE.format("number of reference images cannot exceed 14")),
    ({"image": "data:image/png;base64,!!"}, IMAGE.format("invalid url specified.")),
    ({"image": "data:image/png;base64,AAAA"}, IMAGE.format("the image cannot be decoded.")),
    (
        {"image": "https://example.org/a.jpg"},
        IMAGE.format("Timeout while downloading url=https://example.org/a.jpg"),
    ),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=[str(row[0]) for row in REFUSED])
def test_a_mistake_is_refused_in_the_words_of_the_service(emulator, ark, fields, message):
    started = emulator()
    with pytest.raises(sdk.ArkBadRequestError) as raised:
        ark(started.base_url).images.generate(**{"model": MODEL, "prompt": "p", **fields})
    error = raised.value.body
    assert (error["code"], error["type"]) == ("InvalidParameter", "BadRequest")
    told, _, request_id = error["message"].partition(" Request id: ")
    assert told == message
    assert request_id == raised.value.response.headers["x-request-id"]
    assert started.bill() == []


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ((14, 100), "image width and height must be greater than 14 pixels."),
        ((6001, 6000), "image size must be at most 36000000 pixels."),
        (
            (1700, 100),
            "received image with aspect ratio: 17.00 instead",
        ),
    ],
)
def test_a_photo_of_a_wrong_size_is_refused(emulator, ark, photo, side, message):
    with pytest.raises(sdk.ArkBadRequestError, match=message):
        ark(emulator().base_url).images.generate(
            model=MODEL, prompt="p", image=photo(*side, kind="PNG")[1]
        )


def test_a_media_type_in_capitals_is_refused(emulator, ark, photo):
    with pytest.raises(sdk.ArkBadRequestError, match="invalid url specified"):
        ark(emulator().base_url).images.generate(
            model=MODEL, prompt="p", image=photo(mime="image/JPEG")[1]
        )


def test_a_photo_of_too_many_bytes_is_refused(emulator, ark, photo):
    content, _ = photo()
    large = base64.b64encode(content + bytes(11 << 20)).decode()
    with pytest.raises(sdk.ArkBadRequestError) as raised:
        ark(emulator().base_url).images.generate(
            model=MODEL, prompt="p", image=f"data:image/jpeg;base64,{large}"
        )
    assert raised.value.code == "InvalidParameter.OversizeImage"
    assert "size of the input image (12 MiB) exceeds the limit (10 MiB)" in raised.value.message


def test_a_model_that_does_not_exist_is_not_found(emulator, ark):
    with pytest.raises(sdk.ArkNotFoundError) as raised:
        ark(emulator().base_url).images.generate(model="seedream-4-0", prompt="p", size="1x1")
    assert raised.value.code == "InvalidEndpointOrModel.NotFound"


def test_only_the_named_key_passes(emulator, ark):
    base_url = emulator("--key", "right").base_url
    ark(base_url, api_key="right").images.generate(model=MODEL, prompt="p", size="1K")
    with pytest.raises(sdk.ArkAuthenticationError) as raised:
        ark(base_url, api_key="wrong").images.generate(model=MODEL, prompt="p", size="1K")
    assert raised.value.code == "AuthenticationError"
    told = "the API key or AK/SK in the request is missing or invalid. request id: 02"
    assert told in raised.value.message


def test_a_request_without_a_key_is_refused(emulator):
    answer = httpx.post(f"{emulator().base_url}/images/generations", json={"model": MODEL})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "Unauthorized")


def test_a_client_that_gives_up_is_billed_all_the_same(emulator, ark):
    started = emulator("--latency", "30")
    with pytest.raises(sdk.ArkAPITimeoutError):
        ark(started.base_url, timeout=0.7).images.generate(model=MODEL, prompt="p", size="1K")
    assert len(started.bill()) == 1


def test_the_answer_comes_after_the_latency(emulator, ark):
    began = time.monotonic()
    ark(emulator("--latency", "0.5").base_url).images.generate(model=MODEL, prompt="p", size="1K")
    assert time.monotonic() - began >= 0.5


def test_the_limit_of_pictures_in_a_minute_is_kept(emulator, ark):
    started = emulator("--images-per-minute", "3")
    client = ark(started.base_url)
    client.images.generate(model=MODEL, prompt="2 pictures", size="1K", **several(9))
    with pytest.raises(sdk.ArkRateLimitError) as raised:
        client.images.generate(model=MODEL, prompt="2 pictures", size="1K", **several(9))
    assert raised.value.code == "ModelAccountIpmRateLimitExceeded"
    assert 50 <= int(raised.value.response.headers["retry-after"]) <= 60
    client.images.generate(model=MODEL, prompt="p", size="1K")
    assert len(started.bill()) == 3


def test_a_url_answers_get_alone(emulator, ark):
    picture = ark(emulator().base_url).images.generate(model=MODEL, prompt="p", size="1K").data[0]
    head = httpx.head(picture.url)
    forged = httpx.get(picture.url.replace("X-Tos-Signature=", "X-Tos-Signature=0"))
    assert (head.status_code, forged.status_code) == (403, 403)
    assert "<Code>AccessDenied</Code>" in forged.text


def test_a_url_expires(emulator, ark):
    base_url = emulator("--url-ttl", "0.2").base_url
    picture = ark(base_url).images.generate(model=MODEL, prompt="p", size="1K").data[0]
    until = time.monotonic() + 20
    while (answer := httpx.get(picture.url)).status_code == 200:
        assert time.monotonic() < until
    assert answer.status_code == 403
    assert "Request has expired" in answer.text


def test_a_body_of_many_photos_is_read_whole(emulator, ark, photo):
    started = emulator()
    content, _ = photo(200, 200)
    padded = [content + bytes([n]) * 3_000_001 for n in range(10)]
    urls = [f"data:image/jpeg;base64,{base64.b64encode(each).decode()}" for each in padded]
    ark(started.base_url).images.generate(model=MODEL, prompt="p", size="1K", image=urls)
    expected = [hashlib.sha256(each).hexdigest() for each in padded]
    assert [line["photos"] for line in started.bill()] == [expected]


def test_slashes_may_be_escaped(emulator, photo):
    content, url = photo()
    text = json.dumps({"model": MODEL, "prompt": "p", "size": "1K", "image": url})
    head, image = text.split("base64,")
    started = emulator()
    answer = httpx.post(
        f"{started.base_url}/images/generations",
        content=f"{head}base64,{image.replace('/', chr(92) + '/')}",
        headers={"Authorization": "Bearer k"},
    )
    assert answer.status_code == 200
    assert started.bill()[0]["photos"] == [hashlib.sha256(content).hexdigest()]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"model": 1}', "[" * 100_000])
def test_a_body_that_is_no_request_is_refused(emulator, text):
    answer = httpx.post(
        f"{emulator().base_url}/images/generations",
        content=text,
        headers={"Authorization": "Bearer k"},
    )
    assert answer.status_code == 400


def test_it_stops_at_once_with_requests_open(emulator):
    started = emulator("--latency", "600")
    address = f"{started.base_url}/images/generations"
    body = {"model": MODEL, "prompt": "p", "size": "1K"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(address, json=body, headers={"Authorization": "Bearer k"}, timeout=0.5)
    assert started.stop() == 0
