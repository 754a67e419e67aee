import pytest

from seedream_daemon.mcp_server.gate import Gate, names_for

TOKEN = "t" * 43
PORT = 8400
GOOD = {"host": f"127.0.0.1:{PORT}", "authorization": f"Bearer {TOKEN}"}


async def _reached(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"reached"})


async def ask(path: str, headers, gate: Gate | None = None) -> tuple[int, bytes]:
    gate = gate or Gate(_reached, names=names_for("127.0.0.1", PORT), token=TOKEN)
    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": "http",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
    said = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        said.append(message)

    await gate(scope, receive, send)
    return said[0]["status"], said[1]["body"]


async def test_a_request_with_the_token_reaches_mcp():
    assert await ask("/mcp", GOOD) == (200, b"reached")


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("/mcp", {"host": "evil.example"}, 421),
        ("/mcp", {"host": "evil.example", "origin": "http://evil.example"}, 421),
        ("/mcp", {"host": f"127.0.0.1:{PORT + 1}"}, 421),
        ("/health", {"host": "evil.example"}, 421),
        ("/mcp", {"origin": "http://evil.example", "authorization": "Bearer wrong"}, 403),
        ("/health", {"origin": "https://evil.example"}, 403),
        ("/mcp", {"origin": "null"}, 403),
        ("/mcp", {"authorization": "Bearer wrong"}, 401),
        ("/mcp", {"authorization": f"Basic {TOKEN}"}, 401),
        ("/mcp", {"authorization": f"Bearer {TOKEN}x"}, 401),
        ("/mcp", {"authorization": "Bearer \xe9"}, 401),
        ("/elsewhere", {"authorization": "Bearer wrong"}, 401),
        ("/elsewhere", {}, 404),
        ("/.well-known/oauth-protected-resource", {}, 404),
    ],
)
async def test_each_fault_is_refused_in_the_order_of_the_gate(path, changes, status):
    assert (await ask(path, {**GOOD, **changes}))[0] == status


async def test_without_a_token_only_health_and_well_known_tell_anything():
    host = {"host": GOOD["host"]}

    assert await ask("/health", host) == (200, b"ok\n")
    assert (await ask("/mcp", host))[0] == 401
    assert (await ask("/.well-known/oauth-authorization-server", host))[0] == 404


async def test_a_request_without_a_host_or_with_two_is_refused():
    token = ("authorization", GOOD["authorization"])
    two = [("host", GOOD["host"]), ("host", "evil.example"), token]

    assert (await ask("/mcp", [token]))[0] == 421
    assert (await ask("/mcp", two))[0] == 421


async def test_two_tokens_are_none():
    told = ("authorization", GOOD["authorization"])

    assert (await ask("/mcp", [("host", GOOD["host"]), told, told]))[0] == 401


@pytest.mark.parametrize("host", [f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
async def test_this_machine_has_several_names(host):
    assert (await ask("/mcp", {**GOOD, "host": host, "origin": f"http://{host}"}))[0] == 200


def test_a_port_for_every_address_answers_to_the_machines_own_names():
    import socket

    names = names_for("0.0.0.0", PORT)

    assert names.allow_host(f"{socket.gethostname()}:{PORT}")
    assert not names.allow_host(f"evil.example:{PORT}")


def test_port_80_needs_no_number():
    assert names_for("127.0.0.1", 80).allow_host("localhost")
    assert not names_for("127.0.0.1", PORT).allow_host("localhost")


async def test_what_is_not_http_gets_nothing():
    gate = Gate(_reached, names=names_for("127.0.0.1", PORT), token=TOKEN)

    assert await gate({"type": "websocket"}, None, None) is None
