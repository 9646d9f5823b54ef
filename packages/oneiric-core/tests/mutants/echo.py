"""A right adapter of a backend on the network: a service that sends back each line that it is sent.

It is real: a TCP server in a thread, and an adapter with a pool of connections, deadlines, and one error tree.
"""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric import Adapter, AdapterSettings, AdapterSpec, Endpoint, Health, Targets
from oneiric.errors import ConnectionFailed, DeadlineExceeded
from oneiric.testing import AdapterSuite
from pydantic import Field, SecretStr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

POOL = 4


class EchoSettings(AdapterSettings):
    """Where the service is."""

    url: str = "echo://127.0.0.1:7"
    """Its address: `echo://host:port`."""
    token: SecretStr = SecretStr("")
    """What it would ask for."""
    timeout: float = Field(default=5.0, gt=0)
    """How many seconds a call may take."""

    def targets(self) -> Targets:
        return Targets(endpoints=(Endpoint(self.host, self.port),))

    @property
    def host(self) -> str:
        return self.url.removeprefix("echo://").rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class Connection:
    """One connection to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        connection = cls(*await asyncio.open_connection(host, port))
        try:
            await connection.ask("hello")
        except BaseException:
            connection.close()
            raise
        return connection

    async def ask(self, line: str, *, timeout: float | None = None) -> str:
        self.writer.write(f"{line}\n".encode())
        answer = await self.reader.readline()
        if not answer.endswith(b"\n"):
            raise ConnectionResetError("the service closed the connection")
        return answer.decode().rstrip("\n")

    def close(self) -> None:
        self.writer.transport.abort()


class EchoContract(Adapter):
    """What such an adapter has to bring."""

    @abstractmethod
    async def ask(self, line: str, *, timeout: float | None = None) -> str:
        """Send a line; returns what comes back."""


class Echo(EchoContract):
    """The right one."""

    settings_class = EchoSettings
    settings: EchoSettings

    _idle: list[Connection] | None = None
    _turns: asyncio.Semaphore
    _opening: asyncio.Lock | None = None

    async def init(self) -> None:
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._idle is None:
                async with self._translated():
                    first = await self.connect()
                self._idle, self._turns = [first], asyncio.Semaphore(POOL)

    async def health(self) -> Health:
        if self._idle is None:
            return Health(False, "Not initialised.")
        try:
            await self.ask("hello")
        except ConnectionFailed as error:
            return Health(False, error.message)
        except DeadlineExceeded as error:
            return Health(False, error.message)
        except RuntimeError:
            return Health(False, "It was cleaned up meanwhile.")
        return Health(True)

    async def cleanup(self) -> None:
        idle, self._idle = self._idle, None
        for connection in idle or ():
            connection.close()
        await asyncio.sleep(0)

    async def ask(self, line: str, *, timeout: float | None = None) -> str:
        """Send a line; returns what comes back."""
        if self._idle is None:
            raise self.not_initialized()
        async with self._translated(timeout), self._turns:
            connection = self._idle.pop() if self._idle else await self.connect()
            try:
                answer = await connection.ask(line)
            except BaseException:
                self.discard(connection)
                raise
            self.release(connection)
            return answer

    async def connect(self) -> Connection:
        return await Connection.open(self.settings.host, self.settings.port)

    def discard(self, connection: Connection) -> None:
        connection.close()

    def release(self, connection: Connection) -> None:
        if self._idle is None:
            connection.close()
        else:
            self._idle.append(connection)

    @asynccontextmanager
    async def _translated(self, timeout: float | None = None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.settings.timeout if timeout is None else timeout):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded("The service did not answer in time.", adapter=self.name) from error
        except OSError as error:
            raise ConnectionFailed("The service can't be reached.", adapter=self.name) from error


class Server:
    """The service, in a thread."""

    def __enter__(self) -> int:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()


SPEC = AdapterSpec(
    "echo",
    type="echo",
    summary="A service that sends back what it is sent.",
    adapter=f"{__name__}:Echo",
    settings=EchoSettings,
    example={"url": "echo://127.0.0.1:7"},
)


class TestEcho(AdapterSuite):
    """The suite of the right one."""

    adapter_name = "echo"
    contract = EchoContract

    @pytest.fixture
    def config(self) -> Iterator[Mapping[str, Any]]:
        with Server() as port:
            yield {"url": f"echo://127.0.0.1:{port}", "token": "hunter2"}

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return SPEC

    def hurried(self, config: Mapping[str, Any], spec: AdapterSpec) -> Mapping[str, Any]:
        return {**config, "timeout": 0.5}

    async def probe(self, adapter: Any) -> None:
        line = uuid4().hex
        assert await adapter.ask(line) == line, "This is the answer to another call."
