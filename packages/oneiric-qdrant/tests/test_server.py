"""A server over REST and gRPC, as far as there is none: every way in which it can't be reached.

There is no wheel with a Qdrant server in it, so what a server does is tested where one is named by ONEIRIC_TEST_QDRANT_URL
(test_real_server.py). What is here needs none: ports that refuse, say nothing or reset, TLS that goes wrong, and servers that
are something else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from oneiric.adapters.vector import Record
from oneiric.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    DeadlineExceeded,
    NotInitialized,
    OneiricError,
)
from oneiric.testing.proxy import Fault, FaultProxy
from oneiric_qdrant import QdrantAdapter
from oneiric_qdrant.engine import chosen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SOON = 30.0
PROTOCOLS = pytest.mark.parametrize("grpc", [False, True], ids=["rest", "grpc"])
CALLS = {
    "list_collections": lambda index: index.list_collections(),
    "create_collection": lambda index: index.create_collection("a", 2),
    "drop_collection": lambda index: index.drop_collection("a"),
    "upsert": lambda index: index.upsert("a", [Record("1", [1, 0])]),
    "search": lambda index: index.search("a", [1, 0]),
    "get": lambda index: index.get("a", ["1"]),
    "delete": lambda index: index.delete("a", ["1"]),
    "count": lambda index: index.count("a"),
    "scroll": lambda index: anext(index.scroll("a")),
}


def config(port: int, grpc: bool, **more: Any) -> dict[str, Any]:
    """Both protocols at that port."""
    return {"url": f"http://127.0.0.1:{port}", "grpc": grpc, "grpc_port": port, "timeout": 60.0, **more}


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """A port that fails as it is told to; behind it is one that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with FaultProxy(*silent.getsockname()) as proxy:
            yield proxy


@asynccontextmanager
async def unopened(settings: dict[str, Any]) -> AsyncIterator[QdrantAdapter]:
    """An adapter as it is when its server has gone after `init()`."""
    adapter = QdrantAdapter(settings)
    adapter.name = "index"
    adapter._engine = chosen(adapter.settings)
    try:
        yield adapter
    finally:
        await adapter.cleanup()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@PROTOCOLS
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.SILENT, Fault.BLACKHOLE, Fault.RESET, Fault.CUT])
async def test_an_init_that_fails_says_so_in_time_and_leaves_nothing(
    proxy: FaultProxy, fault: Fault, grpc: bool
) -> None:
    adapter = QdrantAdapter(config(proxy.port, grpc, timeout=0.5))
    adapter.name = "index"
    await proxy.fail(fault)
    threads = threading.active_count()
    for _ in range(3):
        async with asyncio.timeout(SOON):
            with pytest.raises((ConnectionFailed, DeadlineExceeded)) as raised:
                await adapter.init()
        assert raised.value.transient
        assert raised.value.adapter == "index"
        assert raised.value.hint
        await adapter.cleanup()
        with pytest.raises(NotInitialized):
            await adapter.list_collections()
    assert threading.active_count() <= threads + (2 if grpc else 0), "gRPC has a poller of its own, once a process"


@PROTOCOLS
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.SILENT])
async def test_every_call_ends_in_time_with_a_transient_error(
    proxy: FaultProxy, fault: Fault, grpc: bool, call: Any
) -> None:
    await proxy.fail(fault)
    async with unopened(config(proxy.port, grpc, timeout=0.3)) as index, asyncio.timeout(SOON):
        with pytest.raises((ConnectionFailed, DeadlineExceeded)) as raised:
            await call(index)
        assert raised.value.transient
        assert raised.value.adapter == "index"


@PROTOCOLS
async def test_a_call_has_its_own_deadline(proxy: FaultProxy, grpc: bool) -> None:
    await proxy.fail(Fault.SILENT)
    async with unopened(config(proxy.port, grpc, timeout=600)) as index, asyncio.timeout(SOON):
        with pytest.raises(DeadlineExceeded, match=r"longer than its 0\.1 s"):
            await index.list_collections(timeout=0.1)


@PROTOCOLS
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.SILENT])
async def test_health_says_no_in_time(proxy: FaultProxy, fault: Fault, grpc: bool) -> None:
    await proxy.fail(fault)
    async with unopened(config(proxy.port, grpc, timeout=0.5)) as index, asyncio.timeout(SOON):
        health = await index.health()
        assert not health
        assert health.detail


@PROTOCOLS
async def test_a_call_that_is_cancelled_ends_and_others_go_on(proxy: FaultProxy, grpc: bool) -> None:
    await proxy.fail(Fault.SILENT)
    async with unopened(config(proxy.port, grpc, timeout=600)) as index:
        calls = [asyncio.ensure_future(index.list_collections()) for _ in range(5)]
        await asyncio.wait(calls, timeout=0.1)
        for each in calls:
            each.cancel()
        async with asyncio.timeout(SOON):
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
            with pytest.raises(DeadlineExceeded):
                await index.list_collections(timeout=0.1)


async def fail_again_and_again(port: int, grpc: bool, adapters: int) -> None:
    for _ in range(adapters):
        async with unopened(config(port, grpc, timeout=0.05)) as index:
            for _ in range(3):
                with pytest.raises(OneiricError):
                    await index.list_collections()


@PROTOCOLS
async def test_calls_that_fail_leave_no_connection(proxy: FaultProxy, grpc: bool) -> None:
    await proxy.fail(Fault.SILENT)
    await fail_again_and_again(proxy.port, grpc, 3)  # gRPC's own threads and pollers, which stay
    before = descriptors()
    await fail_again_and_again(proxy.port, grpc, 15)
    async with asyncio.timeout(SOON):
        # The proxy closes its ends by and by; gRPC gives up a connection that is being made later on.
        while descriptors() > before + 12:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@PROTOCOLS
async def test_a_cleanup_of_a_server_that_is_silent_ends(proxy: FaultProxy, grpc: bool) -> None:
    await proxy.fail(Fault.SILENT)
    async with unopened(config(proxy.port, grpc, timeout=600)) as index:
        call = asyncio.ensure_future(index.list_collections())
        await asyncio.wait([call], timeout=0.1)
        async with asyncio.timeout(SOON):
            await index.cleanup()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


class SomethingElse(BaseHTTPRequestHandler):
    """A web server that isn't Qdrant: it answers whatever is asked with one status and one page."""

    status = 200
    body = b"<html>Welcome to nginx!</html>"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def answering(status: int, body: bytes = SomethingElse.body, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A web server that isn't Qdrant, at that port."""
    handler = type("Handler", (SomethingElse,), {"status": status, "body": body})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 301, 400, 404, 405])
async def test_a_web_server_that_is_not_qdrant_is_told_from_one(status: int) -> None:
    with answering(status) as port, pytest.raises(ConnectionFailed, match="What answers there") as raised:
        await QdrantAdapter(config(port, grpc=False)).init()
    assert not raised.value.transient
    assert "`url`" in (raised.value.hint or "")


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_gateway_without_its_server_is_a_transient_failure(status: int) -> None:
    with answering(status) as port, pytest.raises(ConnectionFailed, match=f"HTTP {status}") as raised:
        await QdrantAdapter(config(port, grpc=False)).init()
    assert raised.value.transient


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_told_and_the_key_is_not(status: int) -> None:
    body = b"Must provide an API key, not hunter2"
    with answering(status, body) as port, pytest.raises(AuthenticationFailed, match="api_key") as raised:
        await QdrantAdapter(config(port, grpc=False, api_key="hunter2")).init()
    assert "hunter2" not in str(raised.value)


async def test_a_server_that_is_not_qdrant_never_has_a_collection() -> None:
    with answering(404) as port:
        async with unopened(config(port, grpc=False)) as index:
            for name in ("search", "count", "create_collection"):
                with pytest.raises(ConnectionFailed, match="not Qdrant"):
                    await CALLS[name](index)


async def test_a_port_that_speaks_no_grpc_is_told_from_one_that_does() -> None:
    with answering(200) as port, pytest.raises(ConnectionFailed) as raised:
        await QdrantAdapter(config(port, grpc=True)).init()
    assert "grpc_port" in (raised.value.hint or "")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def context_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert(name).configure_cert(context)
    return context


def over_tls(port: int, grpc: bool, **more: Any) -> dict[str, Any]:
    return {**config(port, grpc), "url": f"https://127.0.0.1:{port}", **more}


@PROTOCOLS
async def test_a_certificate_of_an_unknown_authority_is_not_trusted(authority: trustme.CA, grpc: bool) -> None:
    with (
        answering(200, context=context_of(authority, "127.0.0.1")) as port,
        pytest.raises(ConnectionFailed, match="certificate is not trusted") as raised,
    ):
        await QdrantAdapter(over_tls(port, grpc)).init()
    assert "ca_file" in (raised.value.hint or "")
    assert not raised.value.transient


@PROTOCOLS
async def test_a_certificate_of_another_host_is_not_trusted(authority: trustme.CA, ca_file: str, grpc: bool) -> None:
    with (
        answering(200, context=context_of(authority, "elsewhere.test")) as port,
        pytest.raises(ConnectionFailed, match="certificate is not trusted"),
    ):
        await QdrantAdapter(over_tls(port, grpc, ca_file=ca_file)).init()


async def test_a_certificate_of_the_named_authority_is_trusted(authority: trustme.CA, ca_file: str) -> None:
    body = b'{"result": {"collections": []}, "status": "ok", "time": 0.1}'
    with answering(200, body, context_of(authority, "127.0.0.1")) as port:
        async with QdrantAdapter(over_tls(port, grpc=False, ca_file=ca_file)) as index:
            assert await index.health()


@PROTOCOLS
async def test_a_server_without_tls_is_told(grpc: bool) -> None:
    with answering(200) as port, pytest.raises(ConnectionFailed, match="No TLS connection") as raised:
        await QdrantAdapter(over_tls(port, grpc)).init()
    assert not raised.value.transient


@pytest.mark.parametrize("content", [None, "This is no certificate."])
async def test_a_file_of_authorities_that_is_none_is_told(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConnectionFailed, match="`ca_file` can't be read") as raised:
        await QdrantAdapter(over_tls(1, grpc=False, ca_file=str(tmp_path / "ca.pem"))).init()
    assert not raised.value.transient


async def test_no_proxy_of_the_environment_is_used(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    with answering(404) as port:
        for grpc in (False, True):
            with pytest.raises(ConnectionFailed):
                await QdrantAdapter(config(port, grpc)).init()
    assert proxy.accepted == 0


def test_an_adapter_belongs_to_the_event_loop_of_its_init() -> None:
    adapter = QdrantAdapter({"url": "embedded://"})
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        first.run_until_complete(adapter.init())
        with pytest.raises(NotInitialized, match="another event loop"):
            second.run_until_complete(adapter.list_collections())
        first.close()
        second.run_until_complete(adapter.init())
        assert second.run_until_complete(adapter.list_collections()) == []
        second.run_until_complete(adapter.cleanup())
    finally:
        first.close()
        second.close()
