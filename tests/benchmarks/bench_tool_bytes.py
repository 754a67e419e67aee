"""Print how many bytes each tool takes in a client's list of tools, and the sums that are kept.

    python tests/benchmarks/bench_tool_bytes.py

The first figure is what hosts put before a model: name, description and input schema. The second
is the whole entry. The last line fails where a sum is too large.
"""

import json
import sys

from seedream_daemon.mcp_server.catalog import tool_list

MOST_BEFORE_A_MODEL = 10_000
MOST = 18_000
BEFORE_A_MODEL = ("name", "description", "inputSchema")


def _bytes(document: object) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def main() -> int:
    """Print the table; 1 if a sum is over its limit."""
    before, whole = 0, 0
    for tool in tool_list():
        entry = tool.model_dump(by_alias=True, mode="json", exclude_none=True)
        shown = _bytes({key: entry[key] for key in BEFORE_A_MODEL})
        print(f"{tool.name:16} {shown:6} {_bytes(entry):6}")
        before, whole = before + shown, whole + _bytes(entry)
    print(f"{'all':16} {before:6} {whole:6}  (at most {MOST_BEFORE_A_MODEL}, {MOST})")
    return int(before > MOST_BEFORE_A_MODEL or whole > MOST)


if __name__ == "__main__":
    sys.exit(main())
