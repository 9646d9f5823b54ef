"""Who subscribed is told: in memory and over both transports, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.messages import MessageHandler
from mcp import MCPError
from mcp.client.subscriptions import listen
from oneiric_mcp import Installation, build_server
from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.auth.token_file import TokenFile
from oneiric_mcp.subscriptions import MAX_STREAMS, MAX_URIS, Subscriber

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from conftest import Server, Site, Starter

CLIENT = {"name": "test", "version": "1"}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
pytestmark = pytest.mark.filterwarnings("ignore:.*resources/(un)?subscribe is removed")


class Notices(MessageHandler):
    """The addresses that the server has said to have changed."""

    def __init__(self) -> None:
        self.uris: list[str] = []

    async def on_resource_updated(self, message: Any) -> None:
        self.uris.append(str(message.params.uri))


@asynccontextmanager
async def legacy(notices: Notices) -> AsyncIterator[Client[Any]]:
    async with Client(build_server(Installation()), mode="legacy", message_handler=notices) as client:
        yield client


async def test_the_capability_is_said_in_both_eras(living: Site):
    for mode in ("auto", "legacy"):
        async with Client(build_server(Installation()), mode=mode) as client:
            assert client.server_capabilities
            assert client.server_capabilities.resources
            assert client.server_capabilities.resources.subscribe is True
            assert client.server_capabilities.tools
            for capability in (client.server_capabilities.tools, client.server_capabilities.resources):
                assert not capability.list_changed


async def test_a_change_of_state_is_told_to_who_subscribed_and_to_nobody_else(living: Site, until: Callable[..., Any]):
    living.install_adapter("other")
    notices = Notices()
    async with legacy(notices) as client:
        for uri in ("adapters://", "adapters://shelf", "adapters/shelf", "adapters://other", "adapters://shel%66"):
            await client.session.subscribe_resource(uri)
        await client.call_tool("initialize_adapter", {"adapter_name": "orders"})
        await until(
            lambda: {"adapters://", "adapters://shelf", "adapters/shelf", "adapters://shel%66"} <= set(notices.uris)
        )
        assert "adapters://other" not in notices.uris
        (content,) = await client.read_resource("adapters://shelf")
        assert json.loads(content.text)["states"] == {"orders": "ready"}
        (content,) = await client.read_resource("adapters://")
        assert json.loads(content.text)["states"] == {"orders": "ready"}


async def test_who_unsubscribes_is_told_no_more(living: Site, until: Callable[..., Any]):
    notices = Notices()
    async with legacy(notices) as client:
        for uri in ("adapters://", "adapters://shelf"):
            await client.session.subscribe_resource(uri)
        await client.session.unsubscribe_resource("adapters://shelf")
        await client.session.unsubscribe_resource("adapters://never")
        await client.call_tool("initialize_adapter", {"adapter_name": "orders"})
        await until(lambda: "adapters://" in notices.uris)
        assert set(notices.uris) == {"adapters://"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("adapters: {orders: {adapter: shelf}}", "adapters: {orders: {adapter: shelf, readers: 9}}"),
        ("adapters: {}", "adapters: {orders: {adapter: shelf}}"),
        ("adapters: {orders: {adapter: shelf}}", "adapters: {}"),
        ("adapters: {orders: {adapter: shelf}}", "adapters: {orders: {adapter: other}}"),
        ("adapters: {orders: {adapter: shelf}}", "adapters: {"),
    ],
)
async def test_a_file_that_is_edited_by_hand_is_told(living: Site, until: Callable[..., Any], before: str, after: str):
    living.install_adapter("other")
    living.configure(before)
    notices = Notices()
    async with legacy(notices) as client:
        for uri in ("adapters://", "adapters://shelf"):
            await client.session.subscribe_resource(uri)
        living.configure(after)
        await until(lambda: {"adapters://", "adapters://shelf"} <= set(notices.uris))


async def test_a_file_that_says_the_same_in_other_lines_is_no_change(living: Site, until: Callable[..., Any]):
    notices = Notices()
    async with legacy(notices) as client:
        await client.session.subscribe_resource("adapters://shelf")
        living.configure("# a comment\n\nadapters:\n  orders:\n    password: hunter2\n    adapter: shelf\n")
        server_looked = (await client.call_tool("get_adapter_config", {"adapter_name": "orders"})).structured_content
        assert server_looked["values"][0]["location"] == "oneiric.yaml:6"
        living.configure("adapters: {orders: {adapter: shelf, readers: 5}}")
        await until(lambda: notices.uris)
        assert notices.uris == ["adapters://shelf"]


async def test_a_config_that_is_set_is_told_at_once(
    living: Site, until: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("oneiric_mcp.subscriptions.PERIOD", 3600.0)
    notices = Notices()
    server = build_server(Installation(), allow_writes=True)
    async with Client(server, mode="legacy", message_handler=notices) as client:
        await client.session.subscribe_resource("adapters://shelf")
        arguments = {"adapter_name": "orders", "config": {"readers": 5}, "confirm": True}
        await client.call_tool("set_adapter_config", arguments)
        await until(lambda: notices.uris)


@pytest.mark.parametrize(
    "uri", ["adapters://shlf", "adapters://a/b", "other://shelf", "adapters://%00", "x" * 5000, ""]
)
async def test_what_is_no_resource_can_not_be_subscribed_to(living: Site, uri: str):
    async with legacy(Notices()) as client:
        with pytest.raises(MCPError) as caught:
            await client.session.subscribe_resource(uri)
        assert caught.value.error.code == -32602
        assert len(caught.value.error.message) < 1000
    async with Client(build_server(Installation())) as client:
        with pytest.raises(MCPError):
            async with listen(client.session, resource_subscriptions=[uri]):
                pass


async def test_who_listens_is_told(living: Site):
    async with (
        Client(build_server(Installation())) as client,
        listen(client.session, resource_subscriptions=["adapters://", "adapters/shelf"]) as stream,
    ):
        await client.call_tool("initialize_adapter", {"adapter_name": "orders"})
        seen: set[str] = set()
        async with asyncio.timeout(10):
            while seen != {"adapters://", "adapters/shelf"}:
                seen.add((await anext(stream)).uri)
        living.configure("adapters: {orders: {adapter: shelf, readers: 9}}")
        async with asyncio.timeout(10):
            assert (await anext(stream)).uri in seen


async def test_a_stream_that_names_too_many_is_refused(living: Site):
    async with Client(build_server(Installation())) as client:
        with pytest.raises(MCPError, match="1000"):
            async with listen(client.session, resource_subscriptions=["adapters://shelf"] * (MAX_URIS + 1)):
                pass


async def test_more_streams_than_there_may_be_are_refused_until_one_ends(living: Site):
    async with Client(build_server(Installation())) as client, AsyncExitStack() as streams:
        for _ in range(MAX_STREAMS - 1):
            await streams.enter_async_context(listen(client.session, resource_subscriptions=["adapters://"]))
        async with listen(client.session, resource_subscriptions=["adapters://"]):
            with pytest.raises(MCPError, match="limit"):
                async with listen(client.session, resource_subscriptions=["adapters://"]):
                    pass
        await client.call_tool("list_adapters")


async def test_nobody_who_has_gone_is_remembered_and_nobody_looks_at_the_file_then(
    living: Site, until: Callable[..., Any]
):
    server = build_server(Installation())
    subscriptions = server.subscriptions
    async with Client(server, mode="legacy") as staying:
        for _ in range(20):
            async with Client(server, mode="legacy") as client:
                await client.session.subscribe_resource("adapters://")
        async with Client(server) as client, listen(client.session, resource_subscriptions=["adapters://"]):
            assert subscriptions._watch
        await until(lambda: subscriptions._watch is None)
        assert not subscriptions._subscribers
        assert not subscriptions._streams
        assert not subscriptions._listeners
        await staying.ping()


async def test_one_who_does_not_read_keeps_nobody_waiting(living: Site, until: Callable[..., Any]):
    class Stuck:
        """A connection whose client has stopped to read."""

        started = 0

        async def notify(self, method: str, params: Any) -> None:
            self.started += 1
            await asyncio.Event().wait()

    stuck, notices = Stuck(), Notices()
    server = build_server(Installation())
    subscriptions = server.subscriptions
    async with Client(server, mode="legacy", message_handler=notices) as client:
        subscriptions._subscribers[stuck] = subscriber = Subscriber(stuck, None)  # type: ignore[index, arg-type]
        subscriber.uris |= {"adapters://", "adapters://shelf"}
        await client.session.subscribe_resource("adapters://")
        await client.call_tool("initialize_adapter", {"adapter_name": "orders"})
        await until(lambda: notices.uris and stuck.started)
        for _ in range(1000):
            subscriptions.changed("shelf")
        notices.uris.clear()
        await client.call_tool("cleanup_adapter", {"adapter_name": "orders"})
        await until(lambda: notices.uris)
        assert stuck.started == 1
        assert len(subscriber._changed) <= 2
        subscriptions._forget(stuck)  # type: ignore[arg-type]
        await until(subscriber._task.done)


async def test_clients_that_never_read_their_streams_do_not_stop_the_server(start: Starter, living: Site):
    async with start("--http", "--port", "0") as server, httpx2.AsyncClient(timeout=30) as http:
        dead = [await Session.open(server, http) for _ in range(5)]
        for session in dead:
            await session.ask("resources/subscribe", uri="adapters://")
            await session.stop_reading()
        awake = await Session.open(server, http)
        await awake.ask("resources/subscribe", uri="adapters://")
        async with awake.notices() as notices:
            for _ in range(20):
                await awake.ask("tools/call", name="initialize_adapter", arguments={"adapter_name": "orders"})
                await awake.ask("tools/call", name="cleanup_adapter", arguments={"adapter_name": "orders"})
            async with asyncio.timeout(10):
                assert await anext(notices) == "adapters://"
        for session in dead:
            session.leave()


async def test_a_token_that_is_revoked_ends_its_streams(start: Starter, living: Site):
    living.install_adapter("other")
    living.configure("adapters: {orders: {adapter: shelf}, other: {}}")
    file = TokenFile(living.work / "tokens.json")
    token, another = file.create("one", []), file.create("two", [Scope.RUN])
    options = ("--http", "--port", "0", "--tokens", "tokens.json")
    async with start(*options) as server, httpx2.AsyncClient(timeout=30) as http:
        session, runner = await Session.open(server, http, token), await Session.open(server, http, another)
        for one in (session, runner):
            await one.ask("resources/subscribe", uri="adapters://shelf")
            await one.ask("resources/subscribe", uri="adapters://other")
        async with (
            session.notices() as notices,
            runner.notices() as runners,
            http.stream("POST", **listening(server, token)) as stream,
        ):
            lines = stream.aiter_lines()
            await told(lines, "acknowledged")
            await runner.ask("tools/call", name="initialize_adapter", arguments={"adapter_name": "orders"})
            assert await anext(notices) == "adapters://shelf"
            await told(lines, "resources/updated")
            file.revoke("one")
            await told(lines, "no longer valid")
            # By then the session was forgotten too: what changes now is told to the other alone.
            await runner.ask("tools/call", name="initialize_adapter", arguments={"adapter_name": "other"})
            async with asyncio.timeout(10):
                while await anext(runners) != "adapters://other":
                    pass
            server.process.terminate()
            seen = [uri async for uri in notices]
            assert "adapters://other" not in seen
            await server.end()


async def test_who_listens_over_http_hears_that_the_server_stops(start: Starter, living: Site):
    async with start("--http", "--port", "0") as server, httpx2.AsyncClient(timeout=30) as http:
        async with http.stream("POST", **listening(server, None)) as stream:
            lines = stream.aiter_lines()
            await told(lines, "acknowledged")
            server.process.terminate()
            await told(lines, '"result"')
        async with asyncio.timeout(10):
            _, error = await server.end()
    assert "Traceback" not in error


async def told(lines: AsyncIterator[str], text: str) -> None:
    """Read until a line holds the text."""
    async with asyncio.timeout(15):
        async for line in lines:
            if text in line:
                return
    raise AssertionError(f"the stream ended without {text!r}")


def listening(server: Server, token: str | None) -> dict[str, Any]:
    """A raw `subscriptions/listen`."""
    names = {"protocolVersion": "2026-07-28", "clientInfo": CLIENT, "clientCapabilities": {}}
    meta = {f"io.modelcontextprotocol/{name}": value for name, value in names.items()}
    params = {"notifications": {"resourceSubscriptions": ["adapters://"]}, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": "s1", "method": "subscriptions/listen", "params": params}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"}
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return {"url": server.url, "json": message, "headers": HEADERS | headers | authorization}


class Session:
    """A session of the legacy protocol, by raw HTTP."""

    def __init__(self, server: Server, http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        self._url, self._http, self._headers = server.url, http, headers
        self._id = 1

    @classmethod
    async def open(cls, server: Server, http: httpx2.AsyncClient, token: str | None = None) -> Session:
        session = cls(server, http, HEADERS | ({"Authorization": f"Bearer {token}"} if token else {}))
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": CLIENT}
        answer = await session.post({"id": 1, "method": "initialize", "params": params})
        session._headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
        await session.post({"method": "notifications/initialized"})
        return session

    async def post(self, message: dict[str, Any]) -> httpx2.Response:
        return await self._http.post(self._url, json={"jsonrpc": "2.0", **message}, headers=self._headers)

    async def ask(self, method: str, **params: Any) -> None:
        self._id += 1
        answer = await self.post({"id": self._id, "method": method, "params": params})
        assert '"result"' in answer.text, answer.text

    async def stop_reading(self) -> None:
        """Open the stream of notices, and never read from it."""
        host, port = self._url.split("/")[2].split(":")
        _, self._writer = await asyncio.open_connection(host, int(port), limit=1)
        headers = "".join(f"{name}: {value}\r\n" for name, value in self._headers.items())
        self._writer.write(f"GET /mcp HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}\r\n".encode())
        await self._writer.drain()

    def leave(self) -> None:
        """Close what `stop_reading` opened."""
        self._writer.close()

    @asynccontextmanager
    async def notices(self) -> AsyncIterator[AsyncIterator[str]]:
        """The addresses that are told to have changed."""
        async with self._http.stream("GET", self._url, headers=self._headers) as stream:
            assert stream.status_code == 200

            async def addresses() -> AsyncIterator[str]:
                with suppress(httpx2.RemoteProtocolError):  # the server has ended
                    async for line in stream.aiter_lines():
                        if "resources/updated" in line:
                            yield json.loads(line.removeprefix("data: "))["params"]["uri"]

            yield addresses()
