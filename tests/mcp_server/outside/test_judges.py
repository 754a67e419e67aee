"""Judges of MCP servers, on the real daemon with its gate, over an emulator."""

import json
import os
import re
import subprocess
import sys

import anyio
import anyio.to_thread
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

INSPECTOR = ("@modelcontextprotocol/inspector", "2.12.0")
MAY_FAIL = {
    "security_tls_enabled",
    "auth_protected_resource_metadata",
    "protocol_version_supported_versions_include_negotiated",
    "transport_invalid_request_error_code",
    "capability_tools_list_changed",
    "capability_prompts_list_changed",
    "tools_output_properties_documented",
}
BUDGET_USD = 0.3


async def judge(*words, env=None, cwd=None) -> subprocess.CompletedProcess:
    return await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [str(word) for word in words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=env,
            cwd=cwd,
            timeout=600,
            check=False,
        )
    )


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_inspector_has_nothing_to_say(outside, daemon, era):
    one = await daemon()
    script = outside.npm(*INSPECTOR) / "clients" / "launcher" / "build" / "index.js"
    words = ("--cli", one.address, "--transport", "http", "--protocol-era", era)
    token = ("--header", f"Authorization: Bearer {one.token}")
    ask = ("--method", "tools/list", "--strict")
    done = await judge(
        outside.node() / "node", script, *words, *token, *ask, env=outside.node_env()
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning" not in done.stderr, done.stderr[-3000:]
    assert len(json.loads(done.stdout)["tools"]) == 12


async def test_mcpscore_finds_only_what_we_chose(outside, daemon):
    one = await daemon()
    mcpscore = outside.venv("mcpscore==1.29.0") / "mcpscore"

    done = await judge(mcpscore, "--json", "--token", one.token, one.address)

    report = json.loads(done.stdout)
    failed = {rule["rule_id"] for rule in report["results"] if rule["passed"] is False}
    print(f"mcpscore: {report['score']} of {report['max_score']}, failed: {sorted(failed)}")
    assert report["score"] >= 221
    assert failed <= MAY_FAIL


async def test_the_contract_of_the_tools_holds(outside, daemon, tmp_path):
    one = await daemon()
    contract = outside.venv("mcp-contract==0.6.0") / "mcp-contract"
    file = tmp_path / "contract.json"
    bridge = (sys.executable, "-m", "seedream_daemon", "mcp")
    env = {**one.env, "SEEDREAM_SOCKET": os.fspath(one.state / "mcp.sock")}

    taken = await judge(contract, "snapshot", "-f", file, "--", *bridge, env=env, cwd=tmp_path)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    await one.stop()
    await one.start()
    held = await judge(contract, "check", "-f", file, "--", *bridge, env=env, cwd=tmp_path)

    assert held.returncode == 0, held.stdout + held.stderr


async def test_the_fuzzer_breaks_nothing_and_spends_no_more_than_tools_may(
    outside, daemon, tmp_path
):
    one = await daemon(MCP_DAILY_BUDGET_USD=str(BUDGET_USD))
    before = one.process.pid
    fuzzer = outside.venv("mcp-fuzzer==0.7.0") / "mcp-fuzzer"
    auth = tmp_path / "auth.json"
    known = {"providers": {"all": {"type": "api_key", "api_key": one.token}}}
    auth.write_text(json.dumps({**known, "default_provider": "all"}), encoding="utf-8")

    done = await judge(
        fuzzer,
        *("--mode", "all", "--protocol", "streamablehttp", "--endpoint", one.address),
        *("--phase", "both", "--runs", "5", "--runs-per-type", "3", "--seed", "1"),
        *("--auth-config", auth, "--output-dir", tmp_path / "reports"),
        env={**os.environ, "HOME": os.fspath(tmp_path)},
        cwd=tmp_path,
    )

    print("fuzzer's exit code:", done.returncode)
    print("\n".join(re.findall(r".*(?:Total|Success|Failed|Exceptions).*", done.stdout)[-20:]))
    assert one.process.poll() is None
    assert one.process.pid == before
    async with one.client("http", "2026-07-28") as client:
        status = (await client.call_tool("get_status", {})).structured_content
    assert status["version"]
    assert "Traceback" not in one.log.read_text(encoding="utf-8")
    assert sum(line["usd"] for line in one.emulator.bill()) <= BUDGET_USD
