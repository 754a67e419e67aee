"""A stand-in for a daemon's socket: MCP enough to be talked to, in the standard library.

    python stub_daemon.py SOCKET HEARD

Each line that comes is written to the file HEARD before it is answered. A call of the tool
`hang` is never answered, `ask` asks the host something first, `big` answers with a megabyte.
"""

import json
import socket
import sys
import threading
from pathlib import Path

MEGABYTE = "x" * 1_000_000


class Client:
    """One connection."""

    def __init__(self, link: socket.socket, heard: Path) -> None:
        self.link = link
        self.heard = heard
        self.asking: object = None

    def say(self, message: dict) -> None:
        self.link.sendall(json.dumps(message).encode() + b"\n")

    def run(self) -> None:
        for line in self.link.makefile("rb"):
            with self.heard.open("ab") as file:
                file.write(line)
            try:
                message = json.loads(line)
            except ValueError:
                self.say({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "?"}})
                continue
            if "method" not in message:
                self.say(result(self.asking, {"heard": message.get("result")}))
            elif "id" in message:
                self.answer(message)
        self.link.close()

    def answer(self, message: dict) -> None:
        method, identity = message["method"], message["id"]
        params = message.get("params") or {}
        if method == "initialize":
            self.say(
                result(
                    identity,
                    {
                        "protocolVersion": params["protocolVersion"],
                        "capabilities": {},
                        "serverInfo": {"name": "stub", "version": "1"},
                    },
                )
            )
        elif method == "subscriptions/listen":
            meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": identity}}
            self.say(note("notifications/subscriptions/acknowledged", meta))
            self.say(note("notifications/resources/updated", meta))
        elif method == "tools/call" and params["name"] == "hang":
            pass
        elif method == "tools/call" and params["name"] == "ask":
            self.asking = identity
            self.say({"jsonrpc": "2.0", "id": 0, "method": "elicitation/create", "params": {}})
        elif method == "tools/call" and params["name"] == "big":
            self.say(result(identity, {"big": MEGABYTE}))
        else:
            self.say(result(identity, {"echo": params}))


def result(identity: object, content: dict) -> dict:
    return {"jsonrpc": "2.0", "id": identity, "result": content}


def note(method: str, params: dict) -> dict:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def main(path: str, heard: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        print("listening", flush=True)
        while True:
            link, _ = door.accept()
            threading.Thread(target=Client(link, Path(heard)).run, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
