import gzip
import json
import logging
from datetime import UTC, datetime

import anyio
import pytest

from seedream_daemon.ark.client import ArkClient, Timeouts
from seedream_daemon.ark.failures import ArkError, Verdict
from seedream_daemon.ark.wire import ArkMemberFailed, ArkPicture, ArkRequest
from seedream_daemon.errors import ConfigError

KEY = "canary-7f3a"
REQUEST = ArkRequest(model="m", prompt="p", size="2K")
SET = ArkRequest(model="m", prompt="p", size="2K", stream=True, sets=True, max_images=3)
COMPLETED = 'data: {"type":"image_generation.completed","usage":{"generated_images":1}}\n\n'


def event(index):
    kind = "image_generation.partial_succeeded"
    data = {"type": kind, "image_index": index, "url": f"https://h/{index}"}
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def failed(index, code="OutputImageSensitiveContentDetected"):
    error = {"code": code, "message": "M"}
    data = {"type": "image_generation.partial_failed", "image_index": index, "error": error}
    return f"data: {json.dumps(data)}\n\n"


def envelope(code, message="M"):
    return json.dumps({"error": {"code": code, "message": message, "param": "", "type": ""}})


def streaming(text, *, ending="close", step=None):
    """A script that answers with an event stream, whole or in pieces of *step* bytes."""

    async def script(connection):
        await connection.request()
        await connection.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        raw = text.encode()
        for at in range(0, len(raw), step or len(raw) or 1):
            piece = raw[at : at + (step or len(raw))]
            await connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        if ending == "close":
            await connection.send("0\r\n\r\n")
        elif ending == "reset":
            await connection.reset()
        elif ending == "hang":
            await anyio.sleep_forever()

    return script


def answering(text, *, status="200 OK", fields=""):
    async def script(connection):
        while await connection.request() is not None:
            await connection.answer(text, status=status, fields=fields)

    return script


async def ask(server, request, pictures, **options):
    async with ArkClient(server.base_url, KEY, **options) as client:
        return await client.generate(request, request_id="r1", on_picture=pictures.take)


async def refused(server, request, pictures, **options):
    with pytest.raises(ArkError) as caught:
        await ask(server, request, pictures, **options)
    return caught.value


async def test_a_plain_answer_gives_its_pictures(playing, pictures, plain_answer):
    fields = "X-Request-Id: 0217\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
    async with playing(answering(plain_answer(2), fields=fields)) as server:
        answer = await ask(server, REQUEST, pictures)
    assert answer.pictures == tuple(pictures)
    assert answer.pictures[1] == ArkPicture(index=1, url="https://h/1.jpg", size="2048x2048")
    assert answer.generated_images == 2
    assert answer.request_id == "0217"
    assert answer.server_time == datetime(2026, 11, 22, 12, tzinfo=UTC)


async def test_the_request_is_as_documented(playing, pictures, plain_answer, photo):
    seen = []

    async def script(connection):
        seen.append(await connection.request())
        await connection.answer(plain_answer())

    request = ArkRequest(model="m", prompt="한글", photos=(photo(1_000_000),))
    async with playing(script) as server:
        await ask(server, request, pictures)
    head, body = seen[0]
    assert head.startswith("POST /api/v3/images/generations HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}" in head
    assert "X-Client-Request-Id: r1" in head
    assert json.loads(body)["image"].startswith("data:image/jpeg;base64,")
    assert json.loads(body)["watermark"] is False


@pytest.mark.parametrize("step", [None, 1, 7])
async def test_a_stream_gives_its_pictures_in_any_cut(playing, pictures, step):
    text = event(0) + failed(1) + ": keep-alive\n\n" + event(2) + COMPLETED + "data: [DONE]\n\n"
    async with playing(streaming(text, step=step)) as server:
        answer = await ask(server, SET, pictures)
    assert [picture.index for picture in pictures] == [0, 2]
    assert answer.failed == (
        ArkMemberFailed(index=1, code="OutputImageSensitiveContentDetected", message="M"),
    )
    assert answer.generated_images == 1


async def test_a_picture_is_handed_over_while_the_stream_goes_on(playing):
    handed = anyio.Event()

    async def script(connection):
        await connection.request()
        await connection.send("HTTP/1.1 200 OK\r\n\r\n" + event(0))
        await handed.wait()
        await connection.send(event(1) + COMPLETED)

    async def on_picture(_picture):
        handed.set()

    async with playing(script) as server, ArkClient(server.base_url, KEY) as client:
        answer = await client.generate(SET, request_id="r", on_picture=on_picture)
    assert len(answer.pictures) == 2


async def test_a_plain_answer_to_a_stream_call_is_understood(playing, pictures, plain_answer):
    async with playing(answering(plain_answer(3))) as server:
        assert len((await ask(server, SET, pictures)).pictures) == 3


async def test_a_stream_to_a_plain_call_is_understood(playing, pictures):
    async with playing(streaming(event(0) + COMPLETED)) as server:
        assert (await ask(server, REQUEST, pictures)).generated_images == 1


async def test_a_zipped_answer_is_understood(playing, pictures, plain_answer):
    text = gzip.compress(plain_answer().encode())
    async with playing(answering(text, fields="Content-Encoding: gzip\r\n")) as server:
        assert len((await ask(server, REQUEST, pictures)).pictures) == 1


async def test_a_stream_may_end_without_completed(playing, pictures):
    async with playing(streaming(event(0))) as server:
        answer = await ask(server, SET, pictures)
    assert answer.generated_images is None
    assert len(answer.pictures) == 1


@pytest.mark.parametrize("ending", ["reset", "cut"])
@pytest.mark.parametrize("rest", ["", 'data: {"type":"image_gen', 'data: {"type":"x"}\n'])
async def test_what_came_before_a_cut_is_returned(playing, pictures, ending, rest):
    async with playing(streaming(event(0) + rest, ending=ending)) as server:
        answer = await ask(server, SET, pictures)
    assert answer.pictures == tuple(pictures)
    assert answer.generated_images is None


async def test_a_picture_right_before_a_cut_is_not_lost(playing, pictures):
    async with playing(streaming(event(0) + event(1)[:-2], ending="cut")) as server:
        assert len((await ask(server, SET, pictures)).pictures) == 2


async def test_what_came_before_an_error_event_is_returned(playing, pictures):
    text = event(0) + "data: " + envelope("InternalServiceError") + "\n\n"
    async with playing(streaming(text)) as server:
        assert len((await ask(server, SET, pictures)).pictures) == 1


async def test_a_stream_that_hangs_after_its_last_word_is_left(playing, pictures):
    async with playing(
        streaming(event(0) + COMPLETED + "data: [DONE]\n\n", ending="hang")
    ) as server:
        assert (await ask(server, SET, pictures)).generated_images == 1


async def test_a_stream_that_falls_silent_gives_what_came(playing, pictures):
    timeouts = Timeouts(answer_s=0.3)
    async with playing(streaming(event(0), ending="hang")) as server:
        answer = await ask(server, SET, pictures, timeouts=timeouts)
    assert len(answer.pictures) == 1


async def test_the_time_of_on_picture_does_not_count(playing):
    taken = []

    async def slow(picture):
        await anyio.sleep(0.5)
        taken.append(picture)

    async with (
        playing(streaming(event(0) + event(1) + COMPLETED)) as server,
        ArkClient(server.base_url, KEY, timeouts=Timeouts(answer_s=0.3)) as client,
    ):
        await client.generate(SET, request_id="r", on_picture=slow)
    assert len(taken) == 2


async def test_a_failure_of_on_picture_reaches_the_caller(playing):
    async def full(_picture):
        raise OSError(28, "no room")

    async with (
        playing(streaming(event(0) + COMPLETED)) as server,
        ArkClient(server.base_url, KEY) as client,
    ):
        with pytest.raises(OSError, match="no room"):
            await client.generate(SET, request_id="r", on_picture=full)


@pytest.mark.parametrize(
    ("text", "code", "verdict"),
    [
        (failed(0) + COMPLETED, "OutputImageSensitiveContentDetected", Verdict.NEVER),
        (failed(0, "InternalServiceError"), "InternalServiceError", Verdict.AGAIN),
        ("event: error\ndata: " + envelope("BadRequest") + "\n\n", "BadRequest", Verdict.NEVER),
        ("data: " + envelope("ServerOverloaded") + "\n\n", "ServerOverloaded", Verdict.AGAIN),
        (
            envelope("OutputImageSensitiveContentDetected"),
            "OutputImageSensitiveContentDetected",
            Verdict.NEVER,
        ),
        (envelope("SetLimitExceeded"), "SetLimitExceeded", Verdict.ACCOUNT),
        ('{"data":[{"error":{"code":"C","message":"M"}}]}', "C", Verdict.NEVER),
        ('{"data":[],"usage":{"generated_images":0}}', "no_picture", Verdict.NEVER),
        ('{"data":[]}', "no_picture", Verdict.IN_DOUBT),
        ("", "answer_cut", Verdict.IN_DOUBT),
        (": keep-alive\n\n", "answer_cut", Verdict.IN_DOUBT),
        ("{", "bad_answer", Verdict.IN_DOUBT),
        ("data: {\n\n", "bad_answer", Verdict.IN_DOUBT),
        ("<html>hello</html>", "answer_cut", Verdict.IN_DOUBT),
    ],
)
async def test_a_200_without_a_picture_is_an_error(playing, pictures, text, code, verdict):
    async with playing(answering(text)) as server:
        error = await refused(server, REQUEST, pictures)
    assert (error.code, error.verdict) == (code, verdict)
    assert pictures == []


async def test_a_refusal_carries_all_that_is_known(playing, pictures):
    script = answering(
        envelope("ModelAccountIpmRateLimitExceeded", "Slow down."),
        status="429 Too Many Requests",
        fields="Retry-After: 7\r\nX-Request-Id: 0217\r\n",
    )
    async with playing(script) as server:
        error = await refused(server, REQUEST, pictures)
    assert error.code == "ModelAccountIpmRateLimitExceeded"
    assert error.message == "Slow down."
    assert error.status == 429
    assert error.verdict is Verdict.AGAIN
    assert error.retry_after_s == 7.0
    assert error.request_id == "0217"


async def test_a_date_in_retry_after_is_read_by_the_servers_clock(playing, pictures):
    fields = "Date: Sun, 22 Nov 2020 12:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2020 12:00:09 GMT\r\n"
    async with playing(answering("", status="503 Busy", fields=fields)) as server:
        error = await refused(server, REQUEST, pictures)
    assert error.retry_after_s == 9.0
    assert (error.code, error.verdict) == ("http_503", Verdict.AGAIN)


async def test_a_redirect_is_not_followed(playing, pictures):
    async with playing(answering("", status="307 T", fields="Location: /elsewhere\r\n")) as server:
        error = await refused(server, REQUEST, pictures)
        assert server.connections == 1
    assert (error.code, error.verdict) == ("http_307", Verdict.NEVER)


async def test_a_refused_connection_was_not_billed(pictures):
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with ArkClient(f"http://127.0.0.1:{port}/api/v3", KEY) as client:
        with pytest.raises(ArkError) as caught:
            await client.generate(REQUEST, request_id="r", on_picture=pictures.take)
    assert (caught.value.code, caught.value.verdict) == ("connect_failed", Verdict.AGAIN)


@pytest.mark.parametrize("hard", [True, False])
async def test_a_cut_after_the_request_is_in_doubt(playing, pictures, hard):
    async def script(connection):
        await connection.request()
        if hard:
            await connection.reset()

    async with playing(script) as server:
        error = await refused(server, REQUEST, pictures)
        assert server.connections == 1
    assert (error.code, error.verdict) == ("answer_cut", Verdict.IN_DOUBT)


async def test_no_answer_in_time_is_in_doubt(playing, pictures):
    async with playing(streaming("", ending="hang")) as server:
        error = await refused(server, REQUEST, pictures, timeouts=Timeouts(answer_s=0.2))
    assert (error.code, error.verdict) == ("answer_timeout", Verdict.IN_DOUBT)


async def test_a_cut_within_the_request_was_not_billed(playing, pictures, photo):
    async def script(connection):
        await connection.head()
        await connection.body(10_000)
        await connection.reset()

    request = ArkRequest(model="m", prompt="p", photos=(photo(20_000_000),))
    async with playing(script) as server:
        error = await refused(server, request, pictures)
    assert (error.code, error.verdict) == ("send_failed", Verdict.AGAIN)


async def test_an_upload_that_stalls_was_not_billed(playing, pictures, photo):
    async def script(connection):
        await connection.head()
        await anyio.sleep_forever()

    request = ArkRequest(model="m", prompt="p", photos=(photo(20_000_000),))
    async with playing(script) as server:
        error = await refused(server, request, pictures, timeouts=Timeouts(send_s=0.3))
    assert (error.code, error.verdict) == ("send_failed", Verdict.AGAIN)


async def test_a_slow_upload_that_moves_is_waited_for(playing, pictures, photo, plain_answer):
    sent = photo(16_000_000)

    async def script(connection):
        head = await connection.head()
        left = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        while left:
            count = min(left, 2_500_000)
            await connection.body(count)
            left -= count
            await anyio.sleep(0.2)
        await connection.answer(plain_answer())

    # All of it takes over a second, and the answer's patience begins with the last byte.
    timeouts = Timeouts(send_s=1.0, answer_s=1.0)
    async with playing(script) as server:
        await ask(
            server, ArkRequest(model="m", prompt="p", photos=(sent,)), pictures, timeouts=timeouts
        )
    assert len(pictures) == 1


async def test_a_changed_photo_is_never_sent_whole(playing, pictures, photo, plain_answer):
    sent = photo(3_000_000)
    sent.path.write_bytes(b"short")
    async with playing(answering(plain_answer())) as server:
        error = await refused(server, ArkRequest(model="m", prompt="p", photos=(sent,)), pictures)
    assert (error.code, error.verdict) == ("photo_changed", Verdict.NEVER)
    assert str(sent.path) in error.message


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again(
    playing, pictures, plain_answer
):
    closed = anyio.Event()

    async def script(connection):
        await connection.request()
        await connection.answer(plain_answer())
        closed.set()

    async with playing(script) as server, ArkClient(server.base_url, KEY) as client:
        for _ in range(5):
            await client.generate(REQUEST, request_id="r", on_picture=pictures.take)
            await closed.wait()
        assert server.connections == 5


async def test_a_connection_that_stays_open_is_used_again(playing, pictures, plain_answer):
    async with (
        playing(answering(plain_answer())) as server,
        ArkClient(server.base_url, KEY) as client,
    ):
        for _ in range(5):
            await client.generate(REQUEST, request_id="r", on_picture=pictures.take)
        assert server.connections == 1


async def test_a_cancelled_call_closes_its_connection(playing, pictures):
    hung_up = anyio.Event()

    async def script(connection):
        await connection.request()
        assert await connection.head() is None
        hung_up.set()

    async with playing(script) as server, ArkClient(server.base_url, KEY) as client:
        with anyio.move_on_after(0.2) as scope:
            await client.generate(REQUEST, request_id="r", on_picture=pictures.take)
        assert scope.cancelled_caught
        await hung_up.wait()


@pytest.mark.parametrize(
    ("status", "code", "found"),
    [
        ("400 Bad", "InvalidParameter", None),
        ("404 No", "ModelNotOpen", "ModelNotOpen"),
        ("404 No", "InvalidEndpointOrModel.NotFound", "InvalidEndpointOrModel.NotFound"),
        ("401 No", "AuthenticationError", "AuthenticationError"),
        ("429 No", "SetLimitExceeded", "SetLimitExceeded"),
        ("500 No", "InternalServiceError", "InternalServiceError"),
    ],
)
async def test_a_probe_tells_whether_the_account_is_refused(playing, status, code, found):
    async with (
        playing(answering(envelope(code), status=status)) as server,
        ArkClient(server.base_url, KEY) as client,
    ):
        error = await client.probe("m")
    assert (error and error.code) == found


async def test_a_probe_asks_for_an_illegal_size(playing):
    seen = []

    async def script(connection):
        seen.append(await connection.request())
        await connection.answer(envelope("InvalidParameter"), status="400 Bad")

    async with playing(script) as server, ArkClient(server.base_url, KEY) as client:
        assert await client.probe("m") is None
    assert json.loads(seen[0][1])["size"] == "1x1"


async def test_the_key_stays_out_of_everything_that_is_shown(playing, pictures, caplog):
    caplog.set_level(logging.DEBUG)
    script = answering(envelope("AuthenticationError", f"bad key {KEY}"), status="401 No")
    async with playing(script) as server, ArkClient(server.base_url, KEY) as client:
        with pytest.raises(ArkError) as caught:
            await client.generate(REQUEST, request_id="r", on_picture=pictures.take)
        assert KEY not in repr(client)
    assert KEY not in caplog.text
    assert KEY not in str(caught.value)
    assert caught.value.verdict is Verdict.ACCOUNT


@pytest.mark.parametrize("key", ["with space", "two\nlines", "열쇠", "tab\t"])
def test_a_key_that_can_be_none_is_refused_without_showing_it(key):
    with pytest.raises(ConfigError) as caught:
        ArkClient("http://127.0.0.1:1/api/v3", key)
    assert key not in str(caught.value)


async def test_an_emulator_needs_no_key(playing, pictures, plain_answer):
    seen = []

    async def script(connection):
        seen.append(await connection.request())
        await connection.answer(plain_answer())

    async with playing(script) as server, ArkClient(server.base_url, None) as client:
        await client.generate(REQUEST, request_id="r", on_picture=pictures.take)
    assert "authorization" not in seen[0][0].lower()
