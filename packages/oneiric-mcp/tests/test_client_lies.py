"""The client and a server that lies: whatever it answers, one clear error within time, memory and the installed code."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConnectionFailed, DeadlineExceeded, OneiricError, TargetRefused
from oneiric_mcp.client import (
    AnswerTooLarge,
    ClassRefused,
    OneiricAdapterClient,
    ToolFailed,
    WrongAnswer,
    WrongProtocol,
)

from .liar import Liar, lying, write_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .conftest import Site

MIB = 1024 * 1024
CANARY = "canary-91bc"
CONFIG: dict[str, Any] = {
    "instance": "orders",
    "adapter": "shelf",
    "adapter_class": "shelf_adapter:Shelf",
    "values": [],
    "problems": [],
    "state": "stopped",
}


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    async with lying() as one:
        yield one


@pytest.fixture
async def client(liar: Liar, site: Site) -> AsyncIterator[OneiricAdapterClient]:
    async with OneiricAdapterClient(liar.url, timeout=5) as one:
        yield one


def value(key: str, of: Any) -> dict[str, Any]:
    return {"key": key, "value": of, "layer": "file", "location": "oneiric.yaml:1"}


async def test_what_it_says_truly_is_taken(liar: Liar, client: OneiricAdapterClient) -> None:
    liar.answers["get_adapter_config"] = {**CONFIG, "values": [value("path", "z.db")], "new": "in a later version"}
    assert (await client.load("orders")).settings.model_dump()["path"] == "z.db"


@pytest.mark.parametrize("named", ["os:system", "evil:Evil", "shelf_adapter:Path", "oneiric.adapters.base:Adapter", ""])
@pytest.mark.parametrize("tool", ["get_adapter_config", "get_adapter_info"])
async def test_a_class_that_no_plugin_declares_is_refused_and_not_imported(
    liar: Liar, client: OneiricAdapterClient, site: Site, named: str, tool: str
) -> None:
    (site.folder / "evil.py").write_text("open('evil', 'w').close()\nclass Evil: pass\n", encoding="utf-8")
    info = {
        "name": "shelf", "type": "shelf", "status": "configured", "description": "…", "class": named,
        "settings_class": "os:system", "settings_schema": {}, "capabilities": [], "example_config": {},
        "documentation_link": None, "distribution": None, "version": None, "instances": [],
    }  # fmt: skip
    is_config = tool == "get_adapter_config"
    liar.answers = {
        "get_adapter_info": info,
        "get_adapter_config": {**CONFIG, "adapter_class": (named or " ") if is_config else None},
    }
    with pytest.raises(ClassRefused, match=r"Nothing was imported\.") as caught:
        await client.load("orders")
    assert repr(named)[:-1] in str(caught.value) or is_config
    assert "evil" not in sys.modules
    assert not (site.work / "evil").exists()
    assert "shelf_adapter" not in sys.modules


@pytest.mark.parametrize("adapter", ["os:system", "evil", "../shelf", "", "shelf\x1b[31m"])
async def test_an_adapter_that_is_not_installed_is_refused(
    liar: Liar, client: OneiricAdapterClient, adapter: str
) -> None:
    liar.answers["get_adapter_config"] = {**CONFIG, "adapter": adapter}
    with pytest.raises(OneiricError, match="There is no adapter"):
        await client.load("orders")


@pytest.mark.parametrize(
    "lie",
    [
        {},
        [],
        None,
        "text",
        {**CONFIG, "values": {"path": CANARY}},
        {**CONFIG, "values": [{"key": 7, "value": CANARY}]},
        {**CONFIG, "state": CANARY},
        {**CONFIG, "adapter": {"class": CANARY}},
        {**CONFIG, "instance": f"another-{CANARY}"},
        {**CONFIG, "values": [value("a", 1), value("a", 2)]},
        {**CONFIG, "values": [value("a", 1), value("a.b", 2)]},
        {**CONFIG, "values": [value("a.b", 1), value("a", 2)]},
    ],
)
async def test_an_answer_of_another_form_is_refused_without_a_word_of_it(
    liar: Liar, client: OneiricAdapterClient, lie: Any
) -> None:
    liar.answers["get_adapter_config"] = lie
    with pytest.raises(WrongAnswer) as caught:
        await client.load("orders")
    assert CANARY not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"
    liar.answers["list_adapters"] = lie
    with pytest.raises(WrongAnswer):
        await client.get_available_adapters()


async def test_a_config_that_the_adapter_does_not_take_is_refused_here(
    liar: Liar, client: OneiricAdapterClient
) -> None:
    deep: Any = CANARY
    for _ in range(60):
        deep = [deep]
    wrong = {"nonsense": 1, "readers": CANARY, "path": deep, "a.b.c": 1, "..": 1, "": 1, "a." * 1_000_000: 1}
    for key, of in wrong.items():
        liar.answers["get_adapter_config"] = {**CONFIG, "values": [value(key, of)]}
        with pytest.raises(OneiricError) as caught:
            await client.load("orders")
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize("has_length", [True, False])
async def test_an_answer_of_100_mb_is_not_read(liar: Liar, client: OneiricAdapterClient, has_length: bool) -> None:
    ended = asyncio.Event()

    async def lie(writer: asyncio.StreamWriter) -> None:
        length = f"Content-Length: {100 * MIB}\r\n" if has_length else ""
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n".encode())
        try:
            await liar.pour(writer, 100 * MIB)
        finally:
            ended.set()

    liar.lie = lie
    with pytest.raises(AnswerTooLarge, match="more than 8 MiB; the rest was not read"):
        await client.get_available_adapters()
    async with asyncio.timeout(10):
        await ended.wait()
    assert liar.sent < 30 * MIB  # 8, and what the system's buffers took


async def test_a_few_bytes_do_not_become_100_mb(liar: Liar, client: OneiricAdapterClient) -> None:
    liar.says(gzip.compress(b" " * 100 * MIB), Content_Encoding="gzip")
    with pytest.raises(WrongProtocol, match="its answer is encoded, which was not asked for"):
        await client.get_available_adapters()


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
async def test_a_hang_ends_at_the_deadline(liar: Liar, site: Site, beginning: bytes) -> None:
    async def hang(writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        await asyncio.Event().wait()

    liar.lie = hang
    async with OneiricAdapterClient(liar.url, timeout=0.3) as client:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=r"did not answer `list_adapters` within 0\.3 s") as caught:
            await client.get_available_adapters()
        assert time.monotonic() - started < 5
        assert caught.value.transient
        liar.lie, liar.answers["list_adapters"] = None, {"result": []}
        assert await client.get_available_adapters() == []


async def test_an_answer_that_comes_byte_by_byte_ends_at_the_deadline(liar: Liar, site: Site) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            writer.write(b": still there\n\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    liar.lie = drip
    async with OneiricAdapterClient(liar.url, timeout=0.5) as client:
        with pytest.raises(DeadlineExceeded):
            await client.get_available_adapters()


async def test_a_call_that_is_cancelled_leaves_the_client_usable(liar: Liar, client: OneiricAdapterClient) -> None:
    reached = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        reached.set()
        await asyncio.Event().wait()

    liar.lie = hang
    call = asyncio.create_task(client.get_available_adapters())
    await reached.wait()
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    liar.lie, liar.answers["list_adapters"] = None, {"result": []}
    assert await client.get_available_adapters() == []


@pytest.mark.parametrize(
    ("body", "status", "kind", "why"),
    [
        (
            '{"jsonrpc": "2.0", "id": 1, "error": {"code": -32022, "message": "?", "data": {"supported": ["2031-01-01"]}}}',
            "400 Bad Request", "application/json", "it speaks 2031-01-01",
        ),
        (
            '{"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "Bad Request: Missing session ID"}}',
            "400 Bad Request", "application/json", r"it says \(HTTP 400\): Bad Request: Missing session ID",
        ),
        ("<html>", "200 OK", "text/html", r"what it answers \(HTTP 200\) is no JSON"),
        ("Not Found", "404 Not Found", "text/plain", r"what it answers \(HTTP 404\) is no JSON"),
        ("", "202 Accepted", "text/plain", r"what it answers \(HTTP 202\) is no JSON"),
        ("[]", "200 OK", "application/json", "is no JSON-RPC"),
        ('{"result": {}}', "200 OK", "application/json", "is no JSON-RPC"),
        ('{"jsonrpc": "2.0", "id": 99, "result": {}}', "200 OK", "application/json", "is no result of the call"),
        ("[" * 100_000, "200 OK", "application/json", "is no JSON"),
        ('{"jsonrpc": "2.0", "id": NaN}', "200 OK", "application/json", "is no JSON"),
        ("event: message\ndata: {\n\n", "200 OK", "text/event-stream", "is no JSON"),
    ],
)  # fmt: skip
async def test_who_speaks_another_protocol_is_told_apart(
    liar: Liar, client: OneiricAdapterClient, body: str, status: str, kind: str, why: str
) -> None:
    liar.says(body, status=status, kind=kind)
    with pytest.raises(WrongProtocol, match=f"doesn't speak MCP 2026-07-28: .*{why}"):
        await client.get_available_adapters()


async def test_a_server_of_the_handshake_protocols_alone_is_told_apart(
    liar: Liar, client: OneiricAdapterClient
) -> None:
    """What servers of 2025-11-25 answer to a call without a session, as the protocol's own SDKs have it."""
    for code, message in [(-32000, "Bad Request: No valid session ID provided"), (-32600, "Session not found")]:
        liar.says(
            json.dumps({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": None}), status="400 Bad"
        )
        with pytest.raises(WrongProtocol, match=message):
            await client.get_available_adapters()


async def test_an_answer_may_come_as_an_event_stream(liar: Liar, client: OneiricAdapterClient) -> None:
    result = {"content": [], "structuredContent": {"result": []}}
    answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result})
    note = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
    liar.says(
        f"event: message\r\ndata: {note}\r\n\r\nid: 7\r\nevent: message\r\ndata: {answer}\r\n\r\n",
        kind="text/event-stream",
    )
    assert await client.get_available_adapters() == []


async def test_it_is_not_sent_elsewhere(liar: Liar, client: OneiricAdapterClient) -> None:
    async with lying() as other:
        other.answers["list_adapters"] = {"result": []}
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
            liar.says("", status=status, Location=other.url)
            with pytest.raises(TargetRefused, match="where nobody follows"):
                await client.get_available_adapters()
        assert other.requests == []


async def test_a_server_behind_a_proxy_that_is_down_is_not_reached(liar: Liar, client: OneiricAdapterClient) -> None:
    liar.says("<html>", status="503 Service Unavailable", kind="text/html")
    with pytest.raises(ConnectionFailed, match="HTTP 503") as caught:
        await client.get_available_adapters()
    assert caught.value.transient


async def test_a_server_that_hangs_up_is_not_reached(liar: Liar, client: OneiricAdapterClient) -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.close()

    liar.lie = hang_up
    with pytest.raises(ConnectionFailed):
        await client.get_available_adapters()
    assert len(liar.requests) == 2  # once more, as the connection might have been an old one


async def test_what_a_tool_says_is_shown_as_far_as_it_can_be(liar: Liar, client: OneiricAdapterClient) -> None:
    async def lie(writer: asyncio.StreamWriter) -> None:
        text = "\x1b[2J" + "no such thing " * 100_000
        result = {"content": [{"type": "text", "text": text}], "isError": True}
        await write_response(writer, json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())

    liar.lie = lie
    with pytest.raises(ToolFailed, match="no such thing") as caught:
        await client.get_available_adapters()
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 1200
    for content in (None, [], [None], [{"text": 7}], "text"):
        body = {"jsonrpc": "2.0", "id": 1, "result": {"content": content, "isError": True}}
        liar.says(json.dumps(body))
        with pytest.raises((ToolFailed, WrongProtocol)):
            await client.get_available_adapters()
