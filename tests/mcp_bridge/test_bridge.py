"""The bridge as a process, between a host and a daemon's socket."""

import json
import time

import pytest


def request(method, params=None, identity=1):
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params or {}}


def test_what_the_host_says_reaches_the_daemon_byte_for_byte(host, stub, tmp_path):
    stub()
    one = host()
    line = (
        '{"jsonrpc" : "2.0","id":"ä", "method":"tools/list" ,"params":{"x":"한국 🎨"}}\n'.encode()
    )

    one.send(line)

    assert one.hear()["result"] == {"echo": {"x": "한국 🎨"}}
    assert (tmp_path / "heard1.jsonl").read_bytes() == line


def test_a_line_that_comes_in_pieces_is_one_message(host, stub):
    stub()
    one = host()
    line = json.dumps(request("tools/list", {"n": 1})).encode() + b"\n"

    for byte in (line[:7], line[7:30], line[30:]):
        one.send(byte)

    assert one.hear()["result"] == {"echo": {"n": 1}}


def test_many_large_answers_pass_while_the_host_reads_late(host, stub):
    stub()
    one = host()
    for number in range(12):
        one.send(request("tools/call", {"name": "big"}, number))

    sizes = [len(one.hear()["result"]["big"]) for _ in range(12)]

    assert sizes == [1_000_000] * 12


def test_the_end_of_stdin_ends_the_bridge(host, stub):
    stub()
    one = host()
    one.hello()

    assert one.leave() == (0, "")


def test_the_end_of_stdin_ends_a_bridge_whose_call_is_open(host, stub):
    stub()
    one = host()
    one.send(request("tools/call", {"name": "hang"}))

    assert one.leave() == (0, "")


def test_an_answer_that_is_on_its_way_when_the_host_leaves_still_comes(host, stub):
    stub()
    one = host()
    one.send(request("tools/list"))

    one.leave()

    assert one.hear()["result"] == {"echo": {}}


def test_an_open_request_gets_an_error_when_the_daemon_dies(host, stub):
    first = stub()
    one = host()
    one.hello()
    one.send(request("tools/call", {"name": "hang"}, 7))
    wait_for(lambda: "tools/call" in first.methods())

    first.kill()

    answer = one.hear()
    assert answer["id"] == 7
    assert "list_jobs" in answer["error"]["message"]


def test_the_next_call_goes_to_the_next_daemon_after_a_handshake_nobody_sees(host, stub):
    first = stub()
    one = host()
    one.hello()
    one.ask("logging/setLevel", {"level": "info"})
    one.ask("resources/subscribe", {"uri": "seedream://status"})
    one.ask("resources/subscribe", {"uri": "seedream://gone"})
    one.ask("resources/unsubscribe", {"uri": "seedream://gone"})

    first.kill()
    second = stub()
    answer = one.call("list_jobs", 9)

    assert answer["result"]["echo"]["name"] == "list_jobs"
    assert second.methods() == [
        "initialize",
        "notifications/initialized",
        "logging/setLevel",
        "resources/subscribe",
        "tools/call",
    ]
    assert second.heard[0]["params"] == first.heard[0]["params"]
    assert second.heard[3]["params"] == {"uri": "seedream://status"}
    assert one.hears_nothing()


def test_a_stream_of_subscriptions_goes_on_with_the_next_daemon(host, stub):
    first = stub()
    one = host()
    one.send(request("subscriptions/listen", {"notifications": {}}, 4))
    assert one.hear()["method"] == "notifications/subscriptions/acknowledged"
    assert one.hear()["method"] == "notifications/resources/updated"

    first.kill()
    stub()

    again = one.hear()
    assert again["method"] == "notifications/resources/updated"
    assert one.hears_nothing()


def test_an_answer_to_a_dead_daemon_is_never_given_to_the_next(host, stub):
    first = stub()
    one = host()
    one.hello()
    one.send(request("tools/call", {"name": "ask"}, 5))
    question = one.hear()
    assert question["method"] == "elicitation/create"

    first.kill()
    told = [one.hear(), one.hear()]
    second = stub()
    one.send(request("tools/call", {"name": "ask"}, 6))
    asked = one.hear()
    one.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept"}})
    one.send({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}})

    assert {message.get("id") for message in told} == {5, None}
    assert one.hear() == {"jsonrpc": "2.0", "id": 6, "result": {"heard": {"action": "decline"}}}
    replies = [message for message in second.heard if "method" not in message]
    assert [reply["id"] for reply in replies] == [0]


def test_several_deaths_are_survived_by_one_bridge(host, stub):
    one = host()
    daemon = stub()
    one.hello()
    for number in range(3):
        daemon.kill()
        daemon = stub()
        assert "result" in one.call("list_jobs", number)


def test_a_named_socket_is_the_only_one_tried(host, stub, tmp_path):
    elsewhere = stub(tmp_path / "elsewhere.sock")
    stub()
    one = host(SEEDREAM_SOCKET=str(tmp_path / "elsewhere.sock"))

    one.hello()

    assert elsewhere.methods()[0] == "initialize"


def test_no_daemon_is_started_where_a_socket_was_named(host, tmp_path):
    one = host(SEEDREAM_SOCKET=str(tmp_path / "none.sock"))
    one.hello()

    answer = one.call("list_jobs")

    assert answer["result"]["isError"]
    assert answer["result"]["content"][0]["text"].startswith("no_daemon: No daemon answers at ")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25"])
def test_hello_is_answered_whatever_is_wrong(host, version):
    one = host(SEEDREAM_ENV_FILE="/nowhere/env.local")

    answer = one.hello(version)

    assert answer["result"]["protocolVersion"] == version
    assert answer["result"]["serverInfo"]["name"] == "seedream-daemon"


def test_every_tool_says_what_is_not_configured(host):
    one = host(SEEDREAM_ENV_FILE="/nowhere/env.local")
    one.hello()
    names = [tool["name"] for tool in one.ask("tools/list")["result"]["tools"]]

    answers = {name: one.call(name)["result"] for name in names}

    status = answers.pop("get_status")
    assert status["structuredContent"]["state"] == "attention"
    assert status["structuredContent"]["problems"][0]["what"] == "not_configured"
    assert all(answer["isError"] for answer in answers.values())
    texts = {answer["content"][0]["text"] for answer in answers.values()}
    (text,) = texts
    assert text.startswith("not_configured: The settings file /nowhere/env.local does not exist.")


def test_clients_of_2026_are_answered_without_a_daemon(host):
    one = host(SEEDREAM_ENV_FILE="/nowhere/env.local")
    meta = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}

    found = one.ask("server/discover", meta)["result"]
    listed = one.ask("tools/list", meta)["result"]
    called = one.ask("tools/call", {"name": "list_jobs", **meta})["result"]

    assert "2026-07-28" in found["supportedVersions"]
    assert listed["resultType"] == called["resultType"] == "complete"
    assert called["isError"]


def test_a_version_that_nobody_knows_is_refused_as_the_server_would(host):
    one = host(SEEDREAM_ENV_FILE="/nowhere/env.local")
    meta = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2031-01-01"}}

    error = one.ask("tools/list", meta)["error"]

    assert error["code"] == -32022
    assert error["data"]["requested"] == "2031-01-01"


def test_an_unknown_tool_is_a_protocol_error_without_a_daemon_too(host):
    one = host(SEEDREAM_ENV_FILE="/nowhere/env.local")

    assert one.call("rm")["error"]["code"] == -32602


def test_a_line_that_is_no_message_is_the_daemons_to_refuse(host, stub):
    stub()
    one = host()

    one.send(b"hello?\n")

    assert one.hear()["error"]["code"] == -32700


def test_a_line_that_is_no_message_is_refused_without_a_daemon_too(host):
    one = host(SEEDREAM_ENV_FILE="/nowhere/env.local")

    one.send(b"hello?\n")

    assert one.hear()["error"]["code"] == -32700


def test_what_was_mended_is_found_at_the_next_call(host, stub, tmp_path):
    file = tmp_path / "env.local"
    one = host("--env", str(file), STATE_DIR=None)
    one.hello()
    assert one.call("list_jobs")["result"]["isError"]

    file.write_text(f"STATE_DIR={tmp_path / 'state'}\n", encoding="utf-8")
    daemon = stub()

    assert "echo" in one.call("list_jobs")["result"]
    assert daemon.methods()[:2] == ["initialize", "notifications/initialized"]


def test_a_bridge_without_a_daemon_says_little_on_stderr(host):
    one = host(SEEDREAM_ENV_FILE="/nowhere/env.local")
    one.hello()
    for number in range(5):
        one.call("list_jobs", number)

    _, said = one.leave()

    assert len(said.splitlines()) == 1


def wait_for(condition, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
