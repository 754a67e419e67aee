"""What the next daemon is told, and what the host never sees of it."""

import json

from seedream_daemon.mcp_bridge.conversation import Conversation, line_of

HELLO = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "x"}}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def tell(talk, message):
    """What the daemon gets of a message of the host."""
    line = line_of(message)
    passed = talk.to_daemon(line, message)
    return None if passed is None else json.loads(passed)


def hear(talk, message):
    """What the host gets of a message of the daemon."""
    line = line_of(message)
    passed = talk.to_host(line, message)
    return None if passed is None else json.loads(passed)


def request(identity, method="tools/call", **params):
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def result(identity):
    return {"jsonrpc": "2.0", "id": identity, "result": {}}


def begun():
    talk = Conversation()
    talk.replay()
    tell(talk, HELLO)
    hear(talk, result(0))
    tell(talk, READY)
    return talk


def lost(talk):
    return [json.loads(line) for line in talk.lose()]


def test_what_was_answered_is_not_answered_again():
    talk = begun()
    tell(talk, request(1))
    tell(talk, request("1"))
    hear(talk, result(1))

    assert [message["id"] for message in lost(talk)] == ["1"]


def test_what_the_host_took_back_is_not_answered():
    talk = begun()
    tell(talk, request(1))
    tell(talk, {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})

    assert lost(talk) == []


def test_the_handshake_is_replayed_under_an_id_of_its_own():
    talk = begun()
    talk.lose()

    hello, identity = talk.replay()

    assert json.loads(hello) == {**HELLO, "id": identity}
    assert identity != 0
    assert hear(talk, result(identity)) is None
    assert [json.loads(line) for line in talk.rest_of_replay()] == [READY]


def test_nothing_is_replayed_for_a_host_that_never_shook_hands():
    talk = Conversation()
    talk.replay()
    tell(talk, request(1))
    talk.lose()

    assert talk.replay() == (None, None)
    assert talk.rest_of_replay() == []


def test_an_open_question_is_taken_back_when_its_daemon_dies():
    talk = begun()
    hear(talk, request(3, "elicitation/create"))

    (told,) = lost(talk)

    assert told["method"] == "notifications/cancelled"
    assert told["params"]["requestId"] == 3


def test_a_late_answer_to_a_dead_daemon_goes_nowhere():
    talk = begun()
    hear(talk, request(3, "elicitation/create"))
    talk.lose()
    talk.replay()
    asked = hear(talk, request(3, "elicitation/create"))

    assert asked["id"] != 3
    assert tell(talk, result(3)) is None
    assert tell(talk, result(asked["id"])) == result(3)
    assert tell(talk, result(asked["id"])) is None


def test_a_later_daemon_takes_back_its_question_under_the_id_the_host_knows():
    talk = begun()
    talk.lose()
    talk.replay()
    asked = hear(talk, request(3, "elicitation/create"))

    back = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}

    assert hear(talk, back)["params"]["requestId"] == asked["id"]
    assert tell(talk, result(asked["id"])) is None


def test_a_stream_that_was_taken_back_is_not_taken_up_again():
    talk = begun()
    tell(talk, request(5, "subscriptions/listen"))
    tell(talk, request(6, "subscriptions/listen"))
    tell(talk, {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}})
    talk.lose()
    talk.replay()

    streams = [json.loads(line) for line in talk.rest_of_replay()][1:]

    assert [stream["id"] for stream in streams] == [6]


def test_a_stream_that_a_stopping_daemon_ends_is_taken_up_by_the_next():
    talk = begun()
    tell(talk, request(5, "subscriptions/listen"))
    tell(talk, request(6, "subscriptions/listen"))

    assert hear(talk, result(5)) is None
    assert hear(talk, {"jsonrpc": "2.0", "id": 6, "error": {"code": -32602, "message": "no"}})
    assert lost(talk) == []
    talk.replay()

    streams = [json.loads(line) for line in talk.rest_of_replay()][1:]
    assert [stream["id"] for stream in streams] == [5]


def test_only_requests_that_end_are_owed():
    talk = begun()
    assert not talk.is_owed_answers

    tell(talk, request(5, "subscriptions/listen"))
    assert not talk.is_owed_answers

    tell(talk, request(6))
    assert talk.is_owed_answers
