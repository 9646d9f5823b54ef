"""The proxy that fails on command."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from oneiric.testing.held import Held, left_behind
from oneiric.testing.proxy import Fault, FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what it gets."""
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in served:
        task.cancel()
    await asyncio.gather(*served, return_exceptions=True)


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[FaultProxy, Callable[[], Awaitable[Streams]]]]:
    """A proxy in front of the server, and how to connect to it."""
    opened: list[asyncio.StreamWriter] = []
    async with echo() as port, FaultProxy("127.0.0.1", port) as proxy:

        async def connect() -> Streams:
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
            opened.append(writer)
            return reader, writer

        yield proxy, connect
        for writer in opened:
            writer.transport.abort()
        await asyncio.sleep(0)


async def ask(streams: Streams, text: bytes = b"hello\n") -> bytes:
    reader, writer = streams
    writer.write(text)
    return await asyncio.wait_for(reader.readexactly(len(text)), 10)


async def says_nothing(streams: Streams) -> bool:
    reader, writer = streams
    writer.write(b"hello\n")
    try:
        return not await asyncio.wait_for(reader.read(1), 0.1)
    except TimeoutError:
        return True


async def test_it_passes_everything_on_both_ways_on_many_connections():
    async with proxied() as (proxy, connect):
        links = [await connect() for _ in range(20)]
        texts = [bytes([number]) * 200_000 for number in range(20)]
        assert await asyncio.gather(*(ask(link, text) for link, text in zip(links, texts, strict=True))) == texts
        assert proxy.accepted == 20


async def test_it_counts_the_round_trips():
    async with proxied() as (proxy, connect):
        links = [await connect() for _ in range(2)]
        for number in range(1, 4):
            await ask(links[0])
            assert proxy.round_trips == number
        await ask(links[1])
        assert proxy.round_trips == 4


async def test_an_end_on_either_side_is_passed_on():
    async with proxied() as (_, connect):
        reader, writer = await connect()
        await ask((reader, writer))
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_refused_closes_what_there_is_and_refuses_what_is_new_until_it_ends():
    async with proxied() as (proxy, connect):
        reader, writer = await connect()
        await ask((reader, writer))
        await proxy.fail(Fault.REFUSED)
        assert await asyncio.wait_for(reader.read(1), 10) == b""
        with pytest.raises(ConnectionRefusedError):
            await connect()
        await proxy.fail(Fault.NONE)
        assert await ask(await connect()) == b"hello\n"


async def test_silent_closes_what_there_is_and_accepts_without_an_answer():
    async with proxied() as (proxy, connect):
        old = await connect()
        await ask(old)
        await proxy.fail(Fault.SILENT)
        assert await asyncio.wait_for(old[0].read(1), 10) == b""
        new = await connect()
        assert await says_nothing(new)
        await proxy.fail(Fault.NONE)
        assert await asyncio.wait_for(new[0].read(1), 10) == b""


async def test_a_blackhole_swallows_what_is_sent_and_the_connection_is_never_heard_of_again():
    async with proxied() as (proxy, connect):
        old = await connect()
        await ask(old)
        await proxy.fail(Fault.BLACKHOLE)
        assert await says_nothing(old)
        await proxy.fail(Fault.NONE)
        assert await says_nothing(old)
        assert await ask(await connect()) == b"hello\n"


async def test_reset_resets_what_there_is_and_what_is_new():
    async with proxied() as (proxy, connect):
        old = await connect()
        await ask(old)
        await proxy.fail(Fault.RESET)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(old[0].read(1), 10)
        with pytest.raises(OSError):  # noqa: PT011 - at the connect, or at the first read
            await ask(await connect())


async def test_slow_answers_come_byte_by_byte():
    async with proxied() as (proxy, connect):
        link = await connect()
        await ask(link)
        await proxy.fail(Fault.SLOW)
        link[1].write(b"hello\n")
        assert await asyncio.wait_for(link[0].read(100), 10) == b"h"
        assert await asyncio.wait_for(link[0].read(100), 10) == b"e"


async def test_cut_breaks_off_after_the_first_byte_of_an_answer():
    async with proxied() as (proxy, connect):
        reader, writer = await connect()
        await ask((reader, writer))
        await proxy.fail(Fault.CUT)
        writer.write(b"hello\n")
        assert await asyncio.wait_for(reader.read(), 10) == b"h"


async def test_a_server_that_is_gone_closes_the_connection():
    async with FaultProxy("127.0.0.1", 1) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        assert await asyncio.wait_for(reader.read(1), 10) == b""
        writer.transport.abort()


@pytest.mark.parametrize("fault", list(Fault))
async def test_it_leaves_nothing_behind_whatever_it_was_doing(fault: Fault):
    before = Held.now()
    async with proxied() as (proxy, connect):
        links = [await connect() for _ in range(5)]
        await asyncio.gather(*(ask(link) for link in links))
        await proxy.fail(fault)
        for _, writer in links:
            writer.write(b"hello\n")
    assert await left_behind(before) == []


async def test_connections_that_arrive_as_it_stops_listening_are_closed() -> None:
    """A client that reconnects makes them; CPython 3.11 leaves those open that a closed server had just accepted."""
    is_over = threading.Event()

    def connect_again_and_again(port: int) -> None:
        while not is_over.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                pass

    async with echo() as port:
        with warnings.catch_warnings(record=True) as warned, ThreadPoolExecutor(3) as clients:
            warnings.simplefilter("always")
            async with FaultProxy("127.0.0.1", port) as proxy:
                for _ in range(3):
                    clients.submit(connect_again_and_again, proxy.port)
                for _ in range(8):
                    before = proxy.accepted
                    while proxy.accepted < before + 5:  # noqa: ASYNC110
                        await asyncio.sleep(0.001)
                    await proxy.restart()
            is_over.set()
            gc.collect()
    assert [str(warning.message) for warning in warned] == []
