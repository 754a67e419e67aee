"""A refusal is heard while the request is still being sent: in the clear and under TLS."""

import json

import anyio
import pytest

from seedream_daemon.ark.client import ArkClient, Timeouts
from seedream_daemon.ark.failures import ArkError, Verdict
from seedream_daemon.ark.transport import is_loopback, uses_proxy
from seedream_daemon.ark.wire import ArkRequest

REFUSAL = json.dumps({"error": {"code": "AuthenticationError", "message": "M"}})
SECURITY = ["plain", "tls"]


@pytest.fixture
def start(playing, certificate, monkeypatch):
    path, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    def starter(script, security):
        return playing(script, tls=context if security == "tls" else None)

    return starter


async def ask(server, request, pictures, **options):
    async with ArkClient(server.base_url, "k", **options) as client:
        return await client.generate(request, request_id="r", on_picture=pictures.take)


@pytest.mark.parametrize("security", SECURITY)
@pytest.mark.parametrize("ending", ["closed unread", "closed half read", "kept open"])
async def test_an_early_refusal_is_heard(start, pictures, photo, security, ending):
    async def script(connection):
        await connection.head()
        await connection.body(200_000 if ending == "closed half read" else 0)
        await connection.answer(REFUSAL, status="401 Unauthorized")
        if ending == "kept open":
            await anyio.sleep_forever()

    request = ArkRequest(model="m", prompt="p", photos=(photo(30_000_000),))
    async with start(script, security) as server:
        with pytest.raises(ArkError) as caught:
            await ask(server, request, pictures)
    assert (caught.value.code, caught.value.verdict) == ("AuthenticationError", Verdict.ACCOUNT)


@pytest.mark.parametrize("security", SECURITY)
async def test_a_large_request_arrives_whole(start, pictures, photo, plain_answer, security):
    seen = []

    async def script(connection):
        while (request := await connection.request()) is not None:
            seen.append(json.loads(request[1])["image"])
            await connection.answer(plain_answer())

    sent = photo(5_000_000)
    async with start(script, security) as server, ArkClient(server.base_url, "k") as client:
        for _ in range(2):
            await client.generate(
                ArkRequest(model="m", prompt="p", photos=(sent, sent)),
                request_id="r",
                on_picture=pictures.take,
            )
        assert server.connections == 1
    assert len(pictures) == 2
    assert len(seen[0]) == 2
    assert seen[0][0] == seen[1][1]


@pytest.mark.slow
@pytest.mark.parametrize("security", SECURITY)
async def test_an_upload_that_rests_is_not_taken_for_an_answer(
    start, pictures, photo, plain_answer, security
):
    async def script(connection):
        head = await connection.head()
        await anyio.sleep(2.5)  # longer than the sender waits between two looks
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        await connection.body(length)
        await connection.answer(plain_answer())

    request = ArkRequest(model="m", prompt="p", photos=(photo(20_000_000),))
    async with start(script, security) as server:
        await ask(server, request, pictures)
    assert len(pictures) == 1


async def test_a_provisional_word_does_not_stop_the_request(start, pictures, photo, plain_answer):
    async def script(connection):
        head = await connection.head()
        await connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        await connection.body(length)
        await connection.answer(plain_answer())

    request = ArkRequest(model="m", prompt="p", photos=(photo(8_000_000),))
    async with start(script, "plain") as server:
        await ask(server, request, pictures)
    assert len(pictures) == 1


async def test_a_certificate_of_nobody_is_not_trusted(playing, certificate, pictures):
    async def script(connection):
        await connection.request()

    async with playing(script, tls=certificate[1]) as server:
        with pytest.raises(ArkError) as caught:
            await ask(server, ArkRequest(model="m", prompt="p"), pictures)
    assert caught.value.code == "connect_failed"
    assert "certificate" in caught.value.message


async def test_a_handshake_that_never_ends_is_given_up(playing, certificate, pictures):
    async def script(_connection):
        await anyio.sleep_forever()

    async with playing(script) as server:
        server.base_url = server.base_url.replace("http:", "https:")
        with pytest.raises(ArkError) as caught:
            await ask(
                server,
                ArkRequest(model="m", prompt="p"),
                pictures,
                timeouts=Timeouts(connect_s=0.3),
            )
    assert (caught.value.code, caught.value.verdict) == ("connect_failed", Verdict.AGAIN)


async def test_a_request_goes_through_the_proxy_of_the_environment(
    playing, pictures, plain_answer, monkeypatch
):
    seen = []

    async def script(connection):
        seen.append(await connection.request())
        await connection.answer(plain_answer())

    async with playing(script) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        monkeypatch.setenv("http_proxy", proxy.origin)
        async with ArkClient("http://ark.example/api/v3", "k") as client:
            await client.generate(
                ArkRequest(model="m", prompt="p"), request_id="r", on_picture=pictures.take
            )
    assert seen[0][0].startswith("POST http://ark.example/api/v3/images/generations")


def test_loopback_never_goes_through_a_proxy(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert uses_proxy("https://ark.example/api/v3")
    assert not uses_proxy("http://127.0.0.1:8000/api/v3")
    assert not uses_proxy("http://[::1]:8000/api/v3")
    assert not uses_proxy("http://localhost:8000/api/v3")
    monkeypatch.setenv("no_proxy", "ark.example")
    assert not uses_proxy("https://ark.example/api/v3")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.evil.com", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_its_spelling(host, expected):
    assert is_loopback(host) is expected
