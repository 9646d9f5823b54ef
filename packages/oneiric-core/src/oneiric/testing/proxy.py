"""A TCP proxy that fails on command, in a thread of its own: an adapter that blocks the event loop does not stop it."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

_STARTS_WITHIN = 10.0
_TRICKLE = 0.2
"""Seconds between two bytes of a slow link."""
_CHUNK = 65536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Fault(StrEnum):
    """What the proxy does."""

    NONE = "none"
    """Passes everything on."""
    REFUSED = "refused"
    """Connections that there are, are closed; new ones are refused."""
    SILENT = "silent"
    """Connections that there are, are closed; new ones are accepted and never answered."""
    BLACKHOLE = "blackhole"
    """Nothing more arrives, on connections that there are and on new ones, and never will on these: a cable was pulled."""
    RESET = "reset"
    """Connections are reset, those that there are and each new one."""
    SLOW = "slow"
    """Answers arrive byte by byte."""
    CUT = "cut"
    """A connection is closed after the first byte of the next answer."""


class FaultProxy:
    """Listens on a port of 127.0.0.1 and passes on to a server, until told to fail; `async with` starts and stops it."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._fault = Fault.NONE
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="oneiric-fault-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self.host = "127.0.0.1"
        self.port = 0
        self.accepted = 0
        """How many connections there have been."""
        self.round_trips = 0
        """How often the server has answered what was sent before; several answers in a row are one."""

    async def __aenter__(self) -> Self:
        self._thread.start()
        await self._there(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._there(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STARTS_WITHIN)
        self._loop.close()

    async def fail(self, fault: Fault) -> None:
        """From now on, behave so; `Fault.NONE` ends the failure."""
        await self._there(self._change(fault))

    async def restart(self) -> None:
        """Close every connection, as a server does that is restarted, and listen again."""
        await self.fail(Fault.REFUSED)
        await self.fail(Fault.NONE)

    async def _there(self, work: Coroutine[object, object, None]) -> None:
        """Do something in the proxy's thread, and wait for it without standing still here."""
        await asyncio.wait_for(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop)), _STARTS_WITHIN)

    async def _change(self, fault: Fault) -> None:
        previous, self._fault = self._fault, fault
        if fault is Fault.REFUSED:
            await self._deafen()
        elif self._server is None:
            await self._listen()
        if fault in (Fault.REFUSED, Fault.SILENT, Fault.RESET) or previous in (Fault.SILENT, Fault.SLOW):
            self._drop(is_reset=fault is Fault.RESET)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _deafen(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for listener in server.sockets:
            self._loop.remove_reader(listener.fileno())
        # A server that is closed between a connection's arrival and its transport (two turns later) leaves both open:
        # CPython 3.11 asserts there that it still listens.
        await _settled()
        server.close()

    def _drop(self, *, is_reset: bool = False) -> None:
        for link in [*self._links]:
            link.close(is_reset=is_reset)

    async def _stop(self) -> None:
        await self._deafen()
        self._drop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await _settled()  # what is closed is closed in the loop's next turns

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(self, writer)
        # Known before its task has begun: one that is cancelled first would close nothing.
        self._links[link] = asyncio.ensure_future(self._serve(link, reader))

    async def _serve(self, link: _Link, reader: asyncio.StreamReader) -> None:
        try:
            await link.run(reader, self._upstream)
        finally:
            self._links.pop(link, None)
            link.close()

    @property
    def fault(self) -> Fault:
        """What the proxy does now."""
        return self._fault


async def _settled() -> None:
    """Let the event loop take a few turns."""
    for _ in range(3):
        await asyncio.sleep(0)


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: FaultProxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._server: asyncio.StreamWriter | None = None
        self._has_lost = False
        self._is_asked = False

    async def run(self, reader: asyncio.StreamReader, upstream: tuple[str, int]) -> None:
        if self._proxy.fault is Fault.RESET:
            self.close(is_reset=True)
            return
        with suppress(OSError):
            answers, self._server = await asyncio.open_connection(*upstream)
            there = asyncio.ensure_future(self._pass_on(reader, self._server))
            try:
                while data := await answers.read(_CHUNK):
                    await self._pass_back(data)
            finally:
                there.cancel()

    async def _pass_on(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if not self._is_dead():
                    self._is_asked = True
                    server.write(data)
                    await server.drain()
        self.close()

    async def _pass_back(self, data: bytes) -> None:
        if self._is_dead():
            return
        self._proxy.round_trips += self._is_asked
        self._is_asked = False
        if self._proxy.fault is Fault.SLOW:
            await self._trickle(data)
            return
        is_cut = self._proxy.fault is Fault.CUT
        self._client.write(data[:1] if is_cut else data)
        await self._client.drain()
        if is_cut:
            self.close()

    async def _trickle(self, data: bytes) -> None:
        for byte in data:
            await asyncio.sleep(_TRICKLE)
            self._client.write(bytes([byte]))

    def _is_dead(self) -> bool:
        """Whether nothing passes any more: bytes that were lost once can't be missing in the middle of a connection."""
        self._has_lost |= self._proxy.fault in (Fault.SILENT, Fault.BLACKHOLE)
        return self._has_lost

    def close(self, *, is_reset: bool = False) -> None:
        if is_reset:
            with suppress(OSError):
                connection: socket.socket = self._client.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._client.transport.abort()
        self._client.close()
        if self._server is not None:
            self._server.close()
