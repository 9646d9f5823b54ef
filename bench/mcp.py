"""The MCP server against a bare server of FastMCP's, whose one tool gives the same answer from a variable.

The same answer: what our `list_adapters` says here, as a list of pydantic models of the same shape and with an output schema,
so that a ratio's excess over 1 is the share that is ours: the middleware, the look at the config file and the catalog.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

from fastmcp import Client
from oneiric_mcp import Installation, build_server
from oneiric_mcp.client import OneiricAdapterClient
from oneiric_sqlite import SqliteAdapter

from bench._children import HERE, environment, python
from bench._mcp_baseline import CARDS, TOOL, card_server
from bench.rounds import Pair

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Iterator

CALLS = 300
HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"
PATIENCE = 60

INITS = 5
"""How many inits a round of that pair has."""
_CONFIG = 'adapters:\n  orders: {adapter: sqlite, path: ":memory:"}\n  ledger: {adapter: sqlite, path: LEDGER}\n'
_BASELINE = str(HERE / "_mcp_baseline.py")
_CLIENT = {"name": "bench", "version": "1"}


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Start both, in memory and over HTTP, and say what is compared."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config, cards = folder / "oneiric.yaml", folder / "cards.json"
        ledger = folder / "ledger.db"
        config.write_text(_CONFIG.replace("LEDGER", str(ledger)), encoding="utf-8")
        ours = await stack.enter_async_context(Client(build_server(Installation(config))))
        answer = (await ours.call_tool(TOOL)).structured_content or {}
        cards.write_text(json.dumps(answer["result"]), encoding="utf-8")
        bare = await stack.enter_async_context(Client(card_server(CARDS.validate_json(cards.read_bytes()))))
        assert (await bare.call_tool(TOOL)).structured_content == answer

        our_stdio = python("-m", "oneiric_mcp", "--config", str(config))
        our_port = await stack.enter_async_context(_serving([*our_stdio, "--http", "--port", "0"]))
        bare_port = await stack.enter_async_context(_serving(python(_BASELINE, "http", str(cards))))
        sessions = {
            protocol: [stack.enter_context(_session(port, protocol)) for port in (our_port, bare_port)]
            for protocol in (STATELESS, HANDSHAKE)
        }
        yield [
            Pair(
                what=f"{TOOL} in memory vs a bare tool with the same answer",
                ours=lambda: _calls(ours),
                theirs=lambda: _calls(bare),
                at_most=1.3,
            ),
            *(
                Pair(
                    what=f"{TOOL} over HTTP, protocol {protocol}, vs a bare tool with the same answer",
                    ours=our_session.calls,
                    theirs=bare_session.calls,
                    at_most=1.2,
                )
                for protocol, (our_session, bare_session) in sessions.items()
            ),
            Pair(
                what="from discovery over HTTP to an initialised adapter vs its init: sqlite, a new file",
                ours=lambda: _discovered(our_port, ledger),
                theirs=lambda: _initialised(ledger),
                at_most=3.0,
            ),
            Pair(
                what="spawn to the first tools/list over stdio vs a bare server with one tool",
                ours=partial(_spawn, our_stdio),
                theirs=partial(_spawn, python(_BASELINE, "stdio")),
                at_most=1.2,
            ),
        ]


async def _calls(client: Client[Any]) -> None:
    for _ in range(CALLS):
        await client.call_tool(TOOL)


async def _discovered(port: int, file: Path) -> float:
    """What it costs to ask a server that is warm what there is, take the instance's config, and initialise its adapter."""
    cost = 0.0
    for _ in range(INITS):
        _remove(file)
        start = time.perf_counter()
        async with OneiricAdapterClient(f"http://127.0.0.1:{port}/mcp") as client:
            assert any(adapter.name == "sqlite" for adapter in await client.get_available_adapters())
            await client.load("ledger")
            cost += time.perf_counter() - start
    return cost


async def _initialised(file: Path) -> float:
    """What the adapter's own init costs."""
    cost = 0.0
    for _ in range(INITS):
        _remove(file)
        adapter = SqliteAdapter({"path": str(file)})
        start = time.perf_counter()
        await adapter.init()
        cost += time.perf_counter() - start
        await adapter.cleanup()
    return cost


def _remove(file: Path) -> None:
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        file.with_name(name).unlink(missing_ok=True)


class Session:
    """A client of plain HTTP/1.1 without a library of the protocol's: what is left is the server's time."""

    def __init__(self, connection: HTTPConnection, protocol: str) -> None:
        self._connection = connection
        self._ids = count(1)
        self._headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": protocol,
        }
        self._meta: dict[str, Any] | None = None
        if protocol == STATELESS:
            names = {"protocolVersion": protocol, "clientInfo": _CLIENT, "clientCapabilities": {}}
            self._meta = {f"io.modelcontextprotocol/{name}": value for name, value in names.items()}
        else:
            self._shake_hands(protocol)

    def calls(self) -> None:
        """Call the tool many times, on one connection; a new one, as a server closes what has been idle for a while."""
        self._connection.close()
        params: dict[str, Any] = {"name": TOOL, "arguments": {}} | ({"_meta": self._meta} if self._meta else {})
        headers = {"Mcp-Method": "tools/call", "Mcp-Name": TOOL} if self._meta else {}
        for _ in range(CALLS):
            answer = self._post({"id": next(self._ids), "method": "tools/call", "params": params}, headers)
            assert b'"isError":false' in answer, answer[:1000]

    def _shake_hands(self, protocol: str) -> None:
        params = {"protocolVersion": protocol, "capabilities": {}, "clientInfo": _CLIENT}
        self._post({"id": next(self._ids), "method": "initialize", "params": params})
        self._post({"method": "notifications/initialized"})

    def _post(self, message: dict[str, Any], headers: dict[str, str] | None = None) -> bytes:
        body = json.dumps({"jsonrpc": "2.0", **message})
        self._connection.request("POST", "/mcp", body, self._headers | (headers or {}))
        response = self._connection.getresponse()
        answer = response.read()
        assert response.status in (200, 202), answer[:1000]
        if session := response.headers["Mcp-Session-Id"]:
            self._headers["Mcp-Session-Id"] = session
        return answer


@contextmanager
def _session(port: int, protocol: str) -> Iterator[Session]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        yield Session(connection, protocol)
    finally:
        connection.close()


@asynccontextmanager
async def _child(command: list[str]) -> AsyncIterator[Process]:
    """A child that is ended with the block."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.communicate(), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _serving(command: list[str]) -> AsyncIterator[int]:
    """The port of an HTTP server, which prints its address once it listens."""
    async with _child(command) as process:
        while not (match := re.search(rb"Serving MCP on http://[^:]+:(\d+)", await _line(process))):
            pass
        yield int(match[1])


async def _spawn(command: list[str]) -> float:
    """How long a client that starts the server waits until it knows the tools."""
    start = time.perf_counter()
    async with _child(command) as process:
        params = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": _CLIENT}
        await _ask(process, {"id": 1, "method": "initialize", "params": params})
        _tell(process, {"method": "notifications/initialized"})
        assert (await _ask(process, {"id": 2, "method": "tools/list"}))["result"]["tools"]
        return time.perf_counter() - start


def _tell(process: Process, message: dict[str, Any]) -> None:
    assert process.stdin
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


async def _ask(process: Process, message: dict[str, Any]) -> dict[str, Any]:
    _tell(process, message)
    while (answer := json.loads(await _line(process))).get("id") != message["id"]:
        pass
    return dict(answer)


async def _line(process: Process) -> bytes:
    assert process.stdout
    async with asyncio.timeout(PATIENCE):
        line = await process.stdout.readline()
    if not line:
        raise ChildProcessError(f"a server ended with exit code {await process.wait()}")
    return line
