"""Each fault, as the official SDK or a plain HTTP client meets it."""

import httpx
import pytest
from volcenginesdkarkruntime import _exceptions as sdk
from volcenginesdkarkruntime.types.images.images import SequentialImageGenerationOptions

from seedream_daemon.emulator.faults import read_faults
from seedream_daemon.errors import ConfigError

MODEL = "seedream-4-0-250828"


def once(fault: str, more: str = "") -> str:
    return f'[[fault]]\nfault = "{fault}"\ntimes = 1\n{more}'


def ask(client, **fields):
    return client.images.generate(**{"model": MODEL, "prompt": "p", "size": "1K", **fields})


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("429", 429, "ModelAccountIpmRateLimitExceeded"),
        ("500", 500, "InternalServiceError"),
        ("moderation", 400, "OutputImageSensitiveContentDetected"),
        ("ModelNotOpen", 404, "ModelNotOpen"),
        ("SetLimitExceeded", 429, "SetLimitExceeded"),
    ],
)
def test_a_refusal_is_not_billed_and_passes(emulator, ark, fault, status, code):
    started = emulator(faults=once(fault))
    client = ark(started.base_url)
    with pytest.raises(sdk.ArkAPIStatusError) as raised:
        ask(client)
    assert (raised.value.status_code, raised.value.code) == (status, code)
    assert started.bill() == []
    assert len(ask(client).data) == 1


def test_a_refusal_may_say_when_to_come_again(emulator, ark):
    with pytest.raises(sdk.ArkRateLimitError) as raised:
        ask(ark(emulator(faults=once("429", "retry_after = 7")).base_url))
    assert raised.value.response.headers["retry-after"] == "7"


def test_a_closed_model_is_told_before_an_illegal_size(emulator, ark):
    client = ark(emulator(faults=once("ModelNotOpen")).base_url)
    with pytest.raises(sdk.ArkNotFoundError, match="has not activated the model"):
        ask(client, size="1x1")
    with pytest.raises(sdk.ArkBadRequestError, match="at least 921600 pixels"):
        ask(client, size="1x1")


def test_a_reset_comes_after_the_bill(emulator):
    started = emulator(faults=once("reset"))
    with pytest.raises(httpx.ReadError):
        httpx.post(
            f"{started.base_url}/images/generations",
            json={"model": MODEL, "prompt": "p", "size": "1K"},
            headers={"Authorization": "Bearer k"},
        )
    assert len(started.bill()) == 1


def test_a_stall_is_billed_and_never_answers(emulator, ark):
    started = emulator(faults=once("stall"))
    with pytest.raises(sdk.ArkAPITimeoutError):
        ask(ark(started.base_url, timeout=0.7))
    assert len(started.bill()) == 1


def test_a_cut_stream_ends_after_its_first_picture(emulator, ark):
    started = emulator(faults=once("cut_stream"))
    most = SequentialImageGenerationOptions(max_images=3)
    stream = iter(
        ask(
            ark(started.base_url),
            prompt="3 pictures",
            stream=True,
            sequential_image_generation="auto",
            sequential_image_generation_options=most,
        )
    )
    assert next(stream).image_index == 0
    with pytest.raises(httpx.RemoteProtocolError):
        next(stream)
    assert len(started.bill()) == 3


def test_a_cut_download_succeeds_the_second_time(emulator, ark):
    picture = ask(ark(emulator(faults=once("cut_download")).base_url)).data[0]
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(picture.url)
    assert httpx.get(picture.url).content.endswith(b"\xff\xd9")


def test_an_expired_url_is_billed_and_gone(emulator, ark):
    started = emulator(faults=once("expired_url"))
    picture = ask(ark(started.base_url)).data[0]
    assert httpx.get(picture.url).status_code == 403
    assert len(started.bill()) == 1


def test_a_failed_member_leaves_the_others(emulator, ark):
    started = emulator(faults=once("partial"))
    answer = ask(
        ark(started.base_url),
        prompt="3 pictures",
        sequential_image_generation="auto",
        sequential_image_generation_options=SequentialImageGenerationOptions(max_images=3),
    )
    assert [bool(picture.url) for picture in answer.data] == [True, False, True]
    assert answer.data[1].error["code"] == "OutputImageSensitiveContentDetected"
    assert answer.usage.generated_images == 2
    assert [line["index"] for line in started.bill()] == [0, 2]


def test_a_failed_member_of_a_stream_leaves_the_others(emulator):
    body = {"model": MODEL, "prompt": "3 pictures", "size": "1K", "stream": True}
    body["sequential_image_generation"] = "auto"
    answer = httpx.post(
        f"{emulator(faults=once('partial')).base_url}/images/generations",
        json=body,
        headers={"Authorization": "Bearer k"},
    )
    kinds = [line.split(".")[-1] for line in answer.text.split("\n") if line.startswith("event")]
    assert kinds == ["partial_succeeded", "partial_failed", "partial_succeeded", "completed"]


def test_a_request_of_which_nothing_is_made_is_answered_by_an_error(emulator, ark):
    started = emulator(faults=once("partial"))
    answer = ask(ark(started.base_url))
    assert answer.data is None
    assert answer.error.code == "OutputImageSensitiveContentDetected"
    assert started.bill() == []


@pytest.mark.parametrize(
    ("match", "struck"),
    [
        ("nth = 2", [False, True, False, False, False, False]),
        ("every = 2", [False, True, False, True, False, True]),
        ('prompt = "odd"', [True, False, True, False, True, False]),
        ('prompt = "odd", nth = 2', [False, False, True, False, False, False]),
        ('model = "another"', [False] * 6),
    ],
)
def test_a_match_counts_the_requests_that_it_fits(tmp_path, match, struck):
    path = tmp_path / "faults.toml"
    path.write_text(f'[[fault]]\nmatch = {{ {match} }}\nfault = "500"\n', encoding="utf-8")
    faults = read_faults(path)
    prompts = ["odd", "even"] * 3
    assert [faults.of_request(MODEL, prompt) is not None for prompt in prompts] == struck


def test_the_entries_may_be_called_faults(tmp_path):
    path = tmp_path / "faults.toml"
    path.write_text('[[faults]]\nfault = "500"\ntimes = 1\n', encoding="utf-8")
    faults = read_faults(path)
    assert [faults.of_request(MODEL, "p") is not None for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[fault]]\nfault = "503"', "fault 1: fault '503' is none of 429, 500, reset"),
        ('[[fault]]\nfault = "429"\nwhen = 1', "fault 1: cannot use when. Allowed are"),
        ('[[fault]]\nfault = "429"\nmatch = {nth = "1"}', "fault 1: cannot use nth. Allowed are"),
        ("[other]", r"must hold \[\[fault\]\] or \[\[faults\]\] entries"),
        ('faults = ["429"]', r"must hold \[\[fault\]\] or \[\[faults\]\] entries"),
        ('[[fault]]\nfault = "429"\n[[faults]]\nfault = "429"', "nothing else"),
        ("=", "cannot be read"),
    ],
)
def test_a_wrong_file_is_told_with_its_entry(tmp_path, text, message):
    path = tmp_path / "faults.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_faults(path)
