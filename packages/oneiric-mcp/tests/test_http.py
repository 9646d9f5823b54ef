"""The server over HTTP, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastmcp import Client
from oneiric_mcp.http import BindRefused, listen

if TYPE_CHECKING:
    from conftest import Site, Starter

HTTP = ("--http", "--port", "0")
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


def call(config: Any) -> dict[str, Any]:
    arguments = {"adapter_name": "shelf", "config": config}
    params = {"name": "validate_adapter_config", "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_lists_explains_and_validates(start: Starter, mode: Any):
    async with start(*HTTP) as server, Client(server.url, mode=mode) as client:
        listed = (await client.call_tool("list_adapters")).structured_content["result"]
        assert "shelf" in [adapter["name"] for adapter in listed]
        arguments = {"adapter_name": "shelf", "config": {"pth": 1}}
        answer = await client.call_tool("validate_adapter_config", arguments)
        assert answer.structured_content["errors"][0]["suggestion"] == "path"
        (content,) = await client.read_resource("adapters://shelf")
        assert json.loads(content.text)["name"] == "shelf"


async def test_it_starts_with_a_table_and_a_block_to_paste(start: Starter, site: Site):
    site.install("bad", "raise RuntimeError('it [red]broke')")
    site.configure("adapters: {")
    async with start("--http", "--port", "0", COLUMNS="40") as server:
        assert server.url.endswith("/mcp")
        block = await server.line(until="{")
        while not block.endswith("\n}\n"):
            block += await server.line()
        assert json.loads(block) == {"mcpServers": {"oneiric": {"type": "http", "url": server.url}}}


async def test_the_table_says_what_is_installed_and_what_is_wrong(start: Starter, site: Site):
    site.install("bad", "raise RuntimeError('it [red]broke')")
    site.configure("adapters: {")
    async with start("--host", "::1", *HTTP) as server:
        assert server.url.startswith("http://[::1]:")
    done = site.run("-c", _PRINT_WELCOME, COLUMNS="200")
    assert "A test's adapter." in done.stdout
    assert "! The plugin bad (bad) is failed: RuntimeError: it [red]broke" in done.stdout
    assert "! oneiric.yaml line 1 is not valid YAML" in done.stdout


_PRINT_WELCOME = """
from oneiric_mcp.http import print_welcome
from oneiric_mcp import Installation
print_welcome(Installation(), "http://127.0.0.1:1/mcp")
"""


async def test_abuse_gets_an_error_and_the_server_lives(start: Starter):
    async with start(*HTTP) as server, httpx2.AsyncClient(headers=HEADERS, timeout=30) as http:

        async def post(content: str | bytes, **headers: str) -> httpx2.Response:
            return await http.post(server.url, content=content, headers=headers)

        base = server.url.removesuffix("/mcp")
        greeting = await post(json.dumps(INITIALIZE))
        assert greeting.status_code == 200
        session = {name: value for name, value in greeting.headers.items() if name.lower() == "mcp-session-id"}
        for content in (
            "not json",
            "",
            "{",
            "null",
            "[]",
            "\x00",
            '{"jsonrpc": "2.0"}',
            "[" * 100_000,
            "5",
            b"\xff\xfe",
        ):
            answer = await post(content, **session)
            assert 400 <= answer.status_code < 500, (content[:20], answer.status_code, answer.text[:200])
            assert "Traceback" not in answer.text
        for config in ({"path": "hunter2" * 150_000}, {"a\x00b": "hunter2"}, "hunter2", {"path": [[["hunter2"]]]}):
            answer = await post(json.dumps(call(config)), **session)
            assert answer.status_code < 500
            assert "hunter2" not in answer.text
        deep = json.dumps(call({"path": "DEEP"})).replace('"DEEP"', "[" * 5000 + "]" * 5000)
        answer = await post(deep, **session)
        assert answer.status_code < 500, answer.text[:300]
        answer = await post(json.dumps(call({"path": "x"})), **session)
        assert answer.status_code == 200
        assert '"valid":true' in answer.text.replace(" ", "")
        assert (await http.get(f"{base}/health")).json() == {"status": "ok"}
        assert (await http.get(f"{base}/nothing")).status_code == 404
        assert (await http.put(server.url)).status_code == 405
        server.process.terminate()
        _, error = await server.end()
        assert "Traceback" not in error
        assert "hunter2" not in error


@pytest.mark.parametrize("path", ["/mcp", "/health"])
async def test_other_sites_pages_are_kept_out(start: Starter, path: str):
    async with start(*HTTP) as server, httpx2.AsyncClient(headers=HEADERS, timeout=30) as http:
        url = server.url.removesuffix("/mcp") + path
        port = server.url.split(":")[2].partition("/")[0]

        async def status(**headers: str) -> int:
            return (
                await http.request("POST" if path == "/mcp" else "GET", url, json=INITIALIZE, headers=headers)
            ).status_code

        assert await status() == 200
        assert await status(Host=f"localhost:{port}") == 200
        assert await status(Origin=f"http://localhost:{port}") == 200
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "169.254.169.254"):
            assert await status(Host=host) in (400, 403, 421), host
        for origin in ("http://evil.example", "null", f"http://127.0.0.1.evil.example:{port}", "file://"):
            assert await status(Origin=origin) == 403, origin


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_promptly_though_clients_listen(start: Starter, number: signal.Signals):
    async with start(*HTTP) as server, httpx2.AsyncClient(headers=HEADERS, timeout=30) as http:
        greeting = await http.post(server.url, json=INITIALIZE)
        session = {name: value for name, value in greeting.headers.items() if name.lower() == "mcp-session-id"}
        async with http.stream("GET", server.url, headers=session) as listening:
            assert listening.status_code == 200
            server.process.send_signal(number)
            async with asyncio.timeout(10):
                code, error = await server.end()
    assert code in (-number, 128 + number)
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.1", "example.com", "localhost.example.com", "", "127.0.0.1 "]
)
def test_an_address_that_others_reach_is_refused(host: str):
    with pytest.raises(BindRefused, match="other machines could reach it") as caught:
        listen(host, 0)
    assert "--tokens" in str(caught.value.hint)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "::1"])
def test_a_loopback_address_is_listened_on(host: str):
    with listen(host, 0) as listening:
        assert listening.getsockname()[1] > 0


def test_an_address_that_this_machine_has_not_is_refused():
    with (
        pytest.raises(BindRefused, match=r"Can't listen on 127.0.0.1:1|is not an address"),
        listen("127.0.0.1", 1),
        listen("127.0.0.1", 1),
    ):
        pass


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_what_is_no_port_is_refused(port: int):
    with pytest.raises(BindRefused, match="they go from 0 to 65535"):
        listen("127.0.0.1", port)


def test_a_port_that_is_taken_is_refused_in_a_sentence(site: Site):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = site.run("-m", "oneiric_mcp", "--http", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: Can't listen on 127.0.0.1:{port}: Address already in use. Choose another with --port.\n"
    )


def test_a_refusal_is_a_sentence_and_exit_code_1(site: Site):
    done = site.run("-m", "oneiric_mcp", "--http", "--host", "0.0.0.0")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Not listening on 0.0.0.0: other machines could reach it")
