import os

import anyio
import pytest

from seedream_daemon.ark.results import (
    DownloadError,
    PictureTooLargeError,
    ResultFetcher,
    ResultHostError,
    UrlGoneError,
)

TOS = "https://ark-x.tos-y.volces.com/1.jpeg"


def serving(content, *, status="200 OK", fields="", seen=None):
    async def script(connection):
        while (request := await connection.request()) is not None:
            if seen is not None:
                seen.append(request[0])
            await connection.answer(content, status=status, fields=fields)

    return script


async def fetch(server, draft, **options):
    async with ResultFetcher(server.base_url, **options) as fetcher:
        return await fetcher.fetch(f"{server.origin}/1.jpeg?sig=x", draft)


async def test_a_picture_lands_in_its_draft_byte_for_byte(playing, tmp_path):
    content, seen = os.urandom(3_000_000), []
    async with playing(serving(content, seen=seen)) as server:
        assert await fetch(server, tmp_path / "d") == len(content)
    assert (tmp_path / "d").read_bytes() == content
    assert seen[0].startswith("GET /1.jpeg?sig=x HTTP/1.1")
    assert "authorization" not in seen[0].lower()


async def test_a_picture_comes_over_tls_by_the_very_address(
    playing, certificate, tmp_path, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return ("127.0.0.1",)

    seen = []
    async with playing(serving(b"picture", seen=seen), tls=certificate[1]) as server:
        assert await fetch(server, tmp_path / "d", resolve=resolve) == 7
    assert asked == ["localhost"]
    assert f"host: localhost:{server.port}" in seen[0].lower()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("403 Forbidden", UrlGoneError),
        ("404 Not Found", UrlGoneError),
        ("500 Oops", DownloadError),
        ("429 Later", DownloadError),
        ("204 Nothing", DownloadError),
        ("302 Found", ResultHostError),
    ],
)
async def test_another_status_is_told_apart(playing, tmp_path, status, error):
    script = serving(b"" if status[0] == "2" else b"x", status=status, fields="Location: /2\r\n")
    async with playing(script) as server:
        with pytest.raises(error):
            await fetch(server, tmp_path / "d")
        assert server.connections == 1
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_a_cut_download_leaves_nothing(playing, tmp_path, hard, framing):
    async def script(connection):
        await connection.request()
        await connection.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n")
        await connection.send("32\r\n" + "x" * 50)
        if hard:
            await connection.reset()

    async with playing(script) as server:
        with pytest.raises(DownloadError):
            await fetch(server, tmp_path / "d")
    assert not (tmp_path / "d").exists()


async def test_an_empty_answer_is_no_picture(playing, tmp_path):
    async with playing(serving(b"")) as server:
        with pytest.raises(DownloadError):
            await fetch(server, tmp_path / "d")


@pytest.mark.parametrize("told", [True, False])
async def test_too_large_a_picture_is_given_up(playing, tmp_path, told):
    async def script(connection):
        await connection.request()
        length = "Content-Length: 5000\r\n" if told else ""
        await connection.send(f"HTTP/1.1 200 OK\r\n{length}\r\n" + "x" * 5000)

    async with playing(script) as server:
        with pytest.raises(PictureTooLargeError, match=r"more than 0\.004 MB"):
            await fetch(server, tmp_path / "d", max_bytes=4000)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("limit", [{"idle_s": 0.2}, {"total_s": 0.2}])
async def test_a_download_that_stands_still_is_given_up(playing, tmp_path, limit):
    async def script(connection):
        await connection.request()
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        await anyio.sleep_forever()

    async with playing(script) as server:
        with pytest.raises(DownloadError):
            await fetch(server, tmp_path / "d", **limit)
    assert not (tmp_path / "d").exists()


async def test_a_cancelled_download_leaves_nothing(playing, tmp_path):
    async def script(connection):
        await connection.request()
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        await anyio.sleep_forever()

    async with playing(script) as server:
        with anyio.move_on_after(0.2):
            await fetch(server, tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:127.0.0.1"], ["100.64.0.1"]]
)
async def test_a_good_name_that_leads_inside_is_refused(tmp_path, addresses):
    async def resolve(host, port):
        return addresses

    async with ResultFetcher("https://ark.example/api/v3", resolve=resolve) as fetcher:
        with pytest.raises(ResultHostError, match="open internet"):
            await fetcher.fetch(TOS, tmp_path / "d")
    assert not (tmp_path / "d").exists()


async def test_a_name_without_an_address_may_have_one_later(tmp_path):
    async def resolve(host, port):
        raise OSError(-2, "Name or service not known")

    async with ResultFetcher("https://ark.example/api/v3", resolve=resolve) as fetcher:
        with pytest.raises(DownloadError, match="not known"):
            await fetcher.fetch(TOS, tmp_path / "d")


async def test_a_wrong_host_is_refused_before_anything_is_written(tmp_path):
    async with ResultFetcher("https://ark.example/api/v3") as fetcher:
        with pytest.raises(ResultHostError):
            await fetcher.fetch("https://evil.example/1.jpeg", tmp_path / "d")
    assert not (tmp_path / "d").exists()


async def test_behind_a_proxy_the_names_alone_decide(playing, tmp_path, monkeypatch):
    seen = []

    async def script(connection):
        seen.append(await connection.head())
        await connection.answer("", status="502 Bad Gateway")

    async with playing(script) as proxy:
        monkeypatch.setenv("https_proxy", proxy.origin)
        async with ResultFetcher("https://ark.example/api/v3") as fetcher:
            with pytest.raises(DownloadError):
                await fetcher.fetch(TOS, tmp_path / "d")
    assert seen[0].startswith("CONNECT ark-x.tos-y.volces.com:443")


async def test_a_draft_that_cannot_be_written_is_the_callers_to_know(playing, tmp_path):
    async with playing(serving(b"x")) as server:
        with pytest.raises(FileNotFoundError):
            await fetch(server, tmp_path / "no such folder" / "d")
