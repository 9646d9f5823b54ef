"""Who may do what over HTTP: a real server process, and requests as a client, a fool and an attacker make them."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.server.auth.providers.jwt import RSAKeyPair
from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.auth.token_file import TokenFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Server, Site, Starter

HTTP = ("--http", "--port", "0", "--tokens", "tokens.json", "--allow-writes")
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
READ_TOOLS = {"list_adapters", "get_adapter_info", "validate_adapter_config", "get_adapter_config"}
RUN_TOOLS = {"test_adapter_connection", "initialize_adapter", "check_adapter_health", "cleanup_adapter"}
WRITE_TOOLS = {"set_adapter_config"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


class Tokens:
    """A token with each set of scopes."""

    def __init__(self, site: Site) -> None:
        self.file = TokenFile(site.work / "tokens.json")
        self.reader = self.file.create("reader", [])
        self.writer = self.file.create("writer", [Scope.WRITE])
        self.runner = self.file.create("runner", [Scope.RUN])


@pytest.fixture
def tokens(living: Site) -> Tokens:
    return Tokens(living)


def client_of(server: Server, token: str | None, mode: Any = "auto") -> Client[Any]:
    return Client(StreamableHttpTransport(server.url, headers=bearer(token)), mode=mode)


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_each_scope_gives_its_tools_and_hides_the_others(start: Starter, tokens: Tokens, mode: Any):
    async with start(*HTTP) as server:
        for token, expected in (
            (tokens.reader, READ_TOOLS),
            (tokens.writer, READ_TOOLS | WRITE_TOOLS),
            (tokens.runner, READ_TOOLS | RUN_TOOLS),
        ):
            async with client_of(server, token, mode) as client:
                assert {tool.name for tool in await client.list_tools()} == expected
                for hidden in (RUN_TOOLS | WRITE_TOOLS) - expected:
                    arguments = {"adapter_name": "orders", "config": {"path": "x"}, "confirm": True}
                    answer = await client.call_tool(hidden, arguments, raise_on_error=False)
                    assert answer.is_error
                    assert answer.content[0].text == f"Unknown tool: '{hidden}'"
                assert (await client.read_resource("adapters://"))[0].text


async def test_no_wrong_and_revoked_tokens_get_401_with_a_challenge(start: Starter, tokens: Tokens):
    async with start(*HTTP) as server, httpx2.AsyncClient(timeout=30) as http:

        async def status(**headers: str) -> tuple[int, str]:
            answer = await http.post(server.url, json=INITIALIZE, headers=HEADERS | headers)
            return answer.status_code, answer.headers.get("WWW-Authenticate", "")

        assert await status() == (401, 'Bearer scope="adapters:read"')
        for wrong in (
            "Bearer wrong",
            "Bearer",
            "Basic cmVhZGVyOng=",
            f"Basic {tokens.reader}",
            f"Token {tokens.reader}",
            tokens.reader,
            f"Bearer {tokens.reader}x",
            f"Bearer {tokens.reader[:-1]}",
            f"Bearer {tokens.reader},{tokens.writer}",
            f"Bearer x, Bearer {tokens.reader}",
            "Bearer " + "x" * 20_000,
            "Bearer eyJhbGciOiJub25lIn0.eyJzY29wZSI6ImFkYXB0ZXJzOnJlYWQifQ.",
        ):
            code, challenge = await status(Authorization=wrong)
            assert (code, challenge[:6]) == (401, "Bearer"), wrong[:60]
            assert tokens.reader not in challenge
        assert (await status(**bearer(tokens.reader)))[0] == 200
        assert (await status(Authorization=f"bearer {tokens.reader}"))[0] == 200
        for other in ({"X-Authorization": f"Bearer {tokens.reader}"}, {"Cookie": f"token={tokens.reader}"}):
            assert (await status(**other))[0] == 401
        answer = await http.post(f"{server.url}?access_token={tokens.reader}", json=INITIALIZE, headers=HEADERS)
        assert answer.status_code == 401
        tokens.file.revoke("reader")
        code, challenge = await status(**bearer(tokens.reader))
        assert (code, "invalid_token" in challenge) == (401, True)
        assert (await status(**bearer(tokens.writer)))[0] == 200


async def test_health_is_open_and_nothing_else(start: Starter, tokens: Tokens):
    async with start(*HTTP) as server, httpx2.AsyncClient(timeout=30) as http:
        base = server.url.removesuffix("/mcp")
        assert (await http.get(f"{base}/health")).json() == {"status": "ok"}
        for method in ("GET", "POST", "DELETE"):
            assert (await http.request(method, server.url, headers=HEADERS)).status_code == 401
        for path in ("/mcp/", "//mcp", "/MCP", "/health/../mcp", "/mcp%2f", "/mcp;x"):
            answer = await http.post(base + path, json=INITIALIZE, headers=HEADERS)
            assert answer.status_code in (307, 401, 404, 405), path


async def test_two_tokens_in_one_request_are_no_more_than_the_first(start: Starter, tokens: Tokens):
    async with start(*HTTP) as server:
        for pair in ((tokens.reader, tokens.writer), ("wrong", tokens.writer)):
            answer = await raw(server, INITIALIZE, *(f"Authorization: Bearer {token}" for token in pair))
            assert answer.startswith(b"HTTP/1.1 200" if pair[0] == tokens.reader else b"HTTP/1.1 401")
        # A space before the colon, a folded line, a carriage return: what is behind them is no header.
        for smuggled in (
            "Authorization: Bearer ",
            "Authorization:",
            f"Authorization : Bearer {tokens.writer}",
            f"X-A: b\r\n Authorization: Bearer {tokens.writer}",
            f"X-A: b\rAuthorization: Bearer {tokens.writer}",
        ):
            answer = await raw(server, INITIALIZE, smuggled)
            assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 400")), (smuggled, answer[:200])


async def raw(server: Server, message: dict[str, Any], *headers: str) -> bytes:
    """The answer to a request that no HTTP library would send."""
    host = server.url.split("/")[2]
    reader, writer = await asyncio.open_connection(*host.split(":"))
    body = json.dumps(message).encode()
    lines = [
        "POST /mcp HTTP/1.1",
        f"Host: {host}",
        "Accept: application/json, text/event-stream",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    async with asyncio.timeout(30):
        answer = await reader.read(4096)
    writer.close()
    return answer


async def test_a_session_is_its_maker_s_and_a_right_that_is_taken_is_gone_in_it(start: Starter, tokens: Tokens):
    async with start(*HTTP) as server, httpx2.AsyncClient(timeout=30) as http:

        async def post(message: dict[str, Any], token: str, session: str | None = None) -> httpx2.Response:
            headers = HEADERS | bearer(token) | ({"Mcp-Session-Id": session} if session else {})
            return await http.post(server.url, json=message, headers=headers)

        session = (await post(INITIALIZE, tokens.writer)).headers["Mcp-Session-Id"]
        plan = call("set_adapter_config", adapter_name="orders", config={"path": "y"})
        assert '"applied":false' in (await post(plan, tokens.writer, session)).text
        for other in (tokens.reader, tokens.runner):
            assert (await post(plan, other, session)).status_code == 404
        content = tokens.file.path.read_text().replace('"adapters:write"', '"adapters:run"')
        tokens.file.path.write_text(content)
        assert "Unknown tool" in (await post(plan, tokens.writer, session)).text
        tokens.file.revoke("writer")
        assert (await post(plan, tokens.writer, session)).status_code == 401


async def test_no_other_spelling_calls_a_hidden_tool(start: Starter, tokens: Tokens, living: Site):
    before = (living.work / "oneiric.yaml").read_text()
    arguments = {"adapter_name": "orders", "config": None, "confirm": True}
    hashed = "0" * 12 + "_set_adapter_config"
    async with start(*HTTP) as server, client_of(server, tokens.reader) as client:
        for name in ("Set_adapter_config", "set_adapter_config ", "set_adapter_config@1", hashed):
            assert (await client.call_tool(name, arguments, raise_on_error=False)).is_error
        answer = await client.call_tool("set_adapter_config", arguments, raise_on_error=False, version="1.0")
        assert answer.is_error
    assert (living.work / "oneiric.yaml").read_text() == before


async def test_a_jwt_is_let_in_by_its_scopes(start: Starter, living: Site):
    pair = RSAKeyPair.generate()
    (living.work / "key.pem").write_text(pair.public_key)

    def jwt(*scopes: str, **changes: Any) -> str:
        return pair.create_token(**{"subject": "ada", "issuer": "i", "audience": "a", "scopes": list(scopes)} | changes)

    options = ("--jwt-key", "key.pem", "--jwt-issuer", "i", "--jwt-audience", "a", "--allow-writes")
    async with start("--http", "--port", "0", *options) as server, httpx2.AsyncClient(timeout=30) as http:

        async def status(token: str) -> tuple[int, str]:
            answer = await http.post(server.url, json=INITIALIZE, headers=HEADERS | bearer(token))
            return answer.status_code, answer.headers.get("WWW-Authenticate", "")

        assert (await status(jwt("adapters:read")))[0] == 200
        for scopes in ((), ("adapters:write", "adapters:run"), ("adapters", "*", "adapters:readx")):
            code, challenge = await status(jwt(*scopes))
            assert (code, "insufficient_scope" in challenge) == (403, True)
        assert (await status(jwt("adapters:read", expires_in_seconds=-5)))[0] == 401
        assert (await status(jwt("adapters:read", audience="b")))[0] == 401
        async with client_of(server, jwt("adapters:read", "adapters:write")) as client:
            assert {tool.name for tool in await client.list_tools()} == READ_TOOLS | WRITE_TOOLS


async def test_no_token_is_in_any_output(start: Starter, tokens: Tokens):
    async with start(*HTTP, "--audit", "audit.log") as server:
        async with client_of(server, tokens.runner) as client:
            await client.call_tool("initialize_adapter", {"adapter_name": "orders"})
        async with httpx2.AsyncClient(timeout=30) as http:
            for token in (tokens.reader + "x", tokens.reader):
                await http.post(server.url, content="{", headers=HEADERS | bearer(token))
        server.process.terminate()
        _, error = await server.end()
        assert server.process.stdout
        output = (await server.process.stdout.read()).decode()
    everything = error + output + (tokens.file.path.parent / "audit.log").read_text() + tokens.file.path.read_text()
    for token in (tokens.reader, tokens.writer, tokens.runner):
        assert token not in everything
        assert token.removeprefix("oneiric_")[:16] not in everything


async def test_without_tokens_a_loopback_server_reads_and_runs_and_does_not_write(start: Starter, living: Site):
    async with start("--http", "--port", "0") as server, Client(server.url) as client:
        assert {tool.name for tool in await client.list_tools()} == READ_TOOLS | RUN_TOOLS
        arguments = {"adapter_name": "orders", "config": {"path": "y"}, "confirm": True}
        assert (await client.call_tool("set_adapter_config", arguments, raise_on_error=False)).is_error
        assert (await client.call_tool("initialize_adapter", {"adapter_name": "orders"})).data.state == "ready"


async def test_a_public_host_and_origin_are_let_in_and_others_are_not(start: Starter, tokens: Tokens):
    options = ("--public-host", "mcp.example.com", "--allow-origin", "https://app.example.com")
    async with start(*HTTP, "--host", "0.0.0.0", *options) as server, httpx2.AsyncClient(timeout=30) as http:
        port = server.url.split(":")[2].partition("/")[0]

        async def status(**headers: str) -> int:
            url = f"http://127.0.0.1:{port}/mcp"
            sent = HEADERS | bearer(tokens.reader) | headers
            return (await http.post(url, json=INITIALIZE, headers=sent)).status_code

        assert await status() == 200
        assert await status(Host="mcp.example.com") == 200
        assert await status(Host=f"mcp.example.com:{port}", Origin="https://app.example.com") == 200
        assert await status(Host="evil.example") == 421
        assert await status(Host="x.mcp.example.com") == 421
        assert await status(Origin="https://evil.example") == 403
        assert await status(Origin="https://app.example.com.evil.example") == 403


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_cleans_every_adapter_up(
    start: Starter, living: Site, number: signal.Signals, until: Callable[..., Any]
):
    living.configure("adapters: {orders: {adapter: shelf}, hung: {adapter: shelf, path: hang}}")
    async with start("--http", "--port", "0") as server, Client(server.url) as client:
        await client.call_tool("initialize_adapter", {"adapter_name": "orders"})
        hanging = asyncio.create_task(client.call_tool("initialize_adapter", {"adapter_name": "hung"}))
        await until(lambda: "hung init" in living.life)
        server.process.send_signal(number)
        async with asyncio.timeout(15):
            _, error = await server.end()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
    assert {"orders cleanup", "hung cleanup"} <= set(living.life)
    assert "Traceback" not in error
