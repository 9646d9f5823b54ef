"""The server over stdio, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Site, Starter

DRIVERS = ("aiosqlite", "asyncpg", "celery", "rq", "redis", "qdrant_client", "numpy", "grpc", "shelf_adapter")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_lists_explains_and_validates(site: Site, mode: Any):
    transport = StdioTransport(
        sys.executable, ["-m", "oneiric_mcp"], env=site.environment, cwd=str(site.work), keep_alive=False
    )
    async with Client(transport, mode=mode) as client:
        listed = (await client.call_tool("list_adapters")).structured_content["result"]
        assert "shelf" in [adapter["name"] for adapter in listed]
        arguments = {"adapter_name": "shelf", "config": {"pth": 1}}
        answer = await client.call_tool("validate_adapter_config", arguments)
        assert answer.structured_content["errors"][0]["suggestion"] == "path"


async def test_what_plugins_print_is_no_part_of_the_protocol(start: Starter, site: Site):
    site.install(
        "loud", "import os\nprint('python')\nos.system('echo shell')\nos.write(1, b'raw\\n')\nraise SystemExit"
    )
    async with start() as server:
        await server.greet()
        answer = await server.ask("tools/call", {"name": "list_adapters", "arguments": {}})
        assert "shelf" in str(answer["result"]["structuredContent"])
        assert server.process.stdin
        server.process.stdin.close()
        assert server.process.stdout
        assert await server.process.stdout.read() == b""


def tool(config: str) -> str:
    """A raw call of validate_adapter_config, with the config as it stands."""
    arguments = f'{{"adapter_name": "shelf", "config": {config}}}'
    params = f'{{"name": "validate_adapter_config", "arguments": {arguments}}}'
    return f'{{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {params}}}'


ABUSE: tuple[str | bytes, ...] = (
    "not json",
    "",
    "{",
    "null",
    "5",
    "\x00",
    b"\xff\xfe",
    '{"jsonrpc": "2.0"}',
    '{"jsonrpc": "2.0", "id": 7, "method": "nothing"}',
    "[" * 100_000,
    '{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": "hunter2"}',
    tool(json.dumps({"path": "hunter2" * 150_000})),
    tool('{"path": ' + "[" * 5000 + "]" * 5000 + "}"),
    tool('{"path": ' + "[" * 100 + "]" * 100 + "}"),
    tool(r'{"a\u0000b": "hunter2"}'),
    tool(r'{"\ud800": "hunter2"}'),
    tool('"hunter2"'),
    tool('["hunter2"]'),
)


def is_refusal(answer: dict[str, Any]) -> bool:
    """Whether an answer is a JSON-RPC error, a tool's error, or a validation with problems."""
    result = answer.get("result", {})
    return "error" in answer or result.get("isError") or bool(result["structuredContent"]["errors"])


async def test_abuse_gets_an_error_or_nothing_and_the_server_lives(start: Starter):
    async with start() as server:
        await server.greet()
        for number, line in enumerate(ABUSE, start=100):
            await server.write(line)
            await server.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}))
            answers: list[dict[str, Any]] = []
            while not answers or answers[-1].get("id") != number:
                answers.append(json.loads(await server.line()))
            assert "result" in answers[-1], line[:50]
            for answer in answers[:-1]:
                assert is_refusal(answer), line[:50]
                assert "hunter2" not in json.dumps(answer), line[:50]
        assert server.process.stdin
        server.process.stdin.close()
        code, error = await server.end()
        assert code == 0
        assert "hunter2hunter2" not in error


async def test_it_ends_when_the_client_leaves(start: Starter):
    async with start() as server:
        await server.greet()
        assert server.process.stdin
        server.process.stdin.close()
        assert await server.end() == (0, "")


async def test_it_ends_at_once_without_a_client(site: Site):
    done = site.run("-m", "oneiric_mcp")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_promptly_though_the_client_stays(start: Starter, number: signal.Signals):
    async with start() as server:
        await server.greet()
        server.process.send_signal(number)
        async with asyncio.timeout(10):
            assert await server.end() == (128 + number, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, None])
async def test_every_adapter_is_cleaned_up_at_the_end_though_one_hangs_in_its_init(
    start: Starter, living: Site, number: signal.Signals | None, until: Callable[..., Any]
):
    living.configure("adapters: {orders: {adapter: shelf}, hung: {adapter: shelf, path: hang}}")
    async with start() as server:
        await server.greet()
        arguments = {"name": "initialize_adapter", "arguments": {"adapter_name": "orders"}}
        await server.ask("tools/call", arguments)
        params = {"name": "initialize_adapter", "arguments": {"adapter_name": "hung"}}
        await server.write(json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}))
        await until(lambda: "hung init" in living.life)
        if number:
            server.process.send_signal(number)
        else:
            assert server.process.stdin
            server.process.stdin.close()
        async with asyncio.timeout(15):
            code, error = await server.end()
    assert code == (128 + number if number else 0)
    assert {"orders cleanup", "hung cleanup"} <= set(living.life)
    assert "Traceback" not in error


async def test_with_allow_writes_the_user_who_starts_it_may_write(site: Site):
    transport = StdioTransport(
        sys.executable,
        ["-m", "oneiric_mcp", "--allow-writes"],
        env=site.environment,
        cwd=str(site.work),
        keep_alive=False,
    )
    async with Client(transport) as client:
        arguments = {"adapter_name": "shelf", "config": {"path": "y"}, "confirm": True}
        assert (await client.call_tool("set_adapter_config", arguments)).data.applied
    assert "path: y" in (site.work / "oneiric.yaml").read_text(encoding="utf-8")


async def test_no_config_takes_the_server_to_a_cloud_s_metadata(start: Starter, living: Site):
    living.install("net", NETWORK_PLUGIN, net_adapter=NETWORK_ADAPTER)
    living.configure("adapters: {net: {host: 169.254.169.254}}")
    async with start() as server:
        await server.greet()
        answer = await server.ask("tools/call", {"name": "initialize_adapter", "arguments": {"adapter_name": "net"}})
        said = answer["result"]["structuredContent"]
        assert said["state"] == "failed"
        assert "metadata" in said["error"] or "TargetRefused" in said["error"], said


NETWORK_PLUGIN = """
from oneiric import AdapterSettings, AdapterSpec, hookimpl

class Settings(AdapterSettings):
    host: str

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("net", type="net", summary="A test's adapter.", adapter="net_adapter:Net", settings=Settings,
                        example={"host": "a"})]
"""
NETWORK_ADAPTER = """
import asyncio
from oneiric.adapters.base import Adapter

class Net(Adapter):
    async def init(self): await asyncio.open_connection(self.settings.host, 80)
    async def health(self): return True
    async def cleanup(self): pass
"""


def test_without_a_stdin_it_says_so(site: Site):
    code = "import os, sys; os.close(0); os.execv(sys.executable, [sys.executable, '-m', 'oneiric_mcp'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=site.environment, cwd=site.work, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert (
        done.stderr == b"Error: There is no stdin to serve MCP on. An MCP client starts this command; or use --http.\n"
    )


async def test_a_message_larger_than_the_pipe_arrives_whole(start: Starter):
    async with start() as server:
        await server.greet()
        await server.write(tool(json.dumps({"path": "x" * 200_000})))
        answer = json.loads(await server.line())
        assert answer["result"]["structuredContent"]["valid"] is True


def test_no_driver_is_imported_by_the_server(site: Site):
    code = f"""
import asyncio, sys
from fastmcp import Client
from oneiric_mcp import build_server

async def main():
    async with Client(build_server()) as client:
        await client.call_tool("list_adapters")
        for adapter in (await client.call_tool("list_adapters")).structured_content["result"]:
            name = {{"adapter_name": adapter["name"]}}
            await client.call_tool("get_adapter_info", name)
            await client.call_tool("validate_adapter_config", {{**name, "config": {{}}}})
            await client.read_resource("adapters://" + adapter["name"])
        await client.read_resource("adapters://")

asyncio.run(main())
sys.exit(str([name for name in {DRIVERS!r} if name in sys.modules]))
"""
    assert site.run("-c", code).stderr == "[]\n"
