"""Print the bytes of each tool in tools/list; with --write, renew the golden file.

python tests/mcp_server/print_tools.py [--write]
"""

import json
import sys
from pathlib import Path

from seedream_daemon.mcp_server.catalog import INSTRUCTIONS, tool_list

GOLDEN = Path(__file__).parent / "tools_list.json"


def size(document) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def main() -> None:
    tools = [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tool_list()]
    before = 0
    print(f"{'tool':<16}{'before a model':>16}{'whole':>8}")
    for tool in tools:
        told = size({key: tool[key] for key in ("name", "description", "inputSchema")})
        before += told
        print(f"{tool['name']:<16}{told:>16,}{size(tool):>8,}")
    print(f"{'all':<16}{before:>16,}{size(tools):>8,}   (at most 10,000 and 18,000)")
    print(f"{'instructions':<16}{len(INSTRUCTIONS.encode()):>16,}          (at most 800)")
    if "--write" in sys.argv:
        text = json.dumps(tools, ensure_ascii=False, indent=1) + "\n"
        GOLDEN.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
