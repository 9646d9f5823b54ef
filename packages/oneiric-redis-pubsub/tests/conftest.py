"""What the tests share: Valkey servers from the wheel, adapters on them, and waiting for a condition."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric.testing.valkey import ValkeyServer
from oneiric_redis_pubsub import RedisMessageAdapter, RedisStreamAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server for all tests of this process; queues are new in each test."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"), fsync=None)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def url(server: ValkeyServer) -> str:
    return server.url


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., ValkeyServer]]:
    """Start a server of one's own, to be killed or configured."""
    servers: list[ValkeyServer] = []

    def start(*options: str, fsync: str | None = None) -> ValkeyServer:
        folder = tmp_path / f"valkey-{len(servers)}"
        folder.mkdir()
        servers.append(ValkeyServer(folder, *options, fsync=fsync))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def queue() -> str:
    """A name that nobody has used."""
    return f"q-{uuid4().hex}"


@pytest.fixture
async def pubsub(url: str) -> AsyncIterator[Callable[..., Awaitable[RedisMessageAdapter]]]:
    """Make a `redis-pubsub` adapter that is initialised; keyword arguments are settings."""
    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> RedisMessageAdapter:
            return await stack.enter_async_context(RedisMessageAdapter({"url": url, "drain": 1, **settings}))

        yield make


@pytest.fixture
async def streams(url: str) -> AsyncIterator[Callable[..., Awaitable[RedisStreamAdapter]]]:
    """Make a `redis-streams` adapter that is initialised, with short patience; keyword arguments are settings."""
    short = {"heartbeat": 0.2, "retry_backoff": 0.01, "max_deliveries": 3, "drain": 1}
    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> RedisStreamAdapter:
            return await stack.enter_async_context(RedisStreamAdapter({"url": url, **short, **settings}))

        yield make


@pytest.fixture
async def begun() -> AsyncIterator[Callable[[Any], asyncio.Task[Any]]]:
    """Run something in a task, which is cancelled at the end of the test."""
    tasks: list[asyncio.Task[Any]] = []

    def begin(coroutine: Any) -> asyncio.Task[Any]:
        tasks.append(asyncio.ensure_future(coroutine))
        return tasks[-1]

    yield begin
    for task in tasks:
        for _ in range(2):
            task.cancel()
            await asyncio.wait({task}, timeout=2)
    await asyncio.gather(*tasks, return_exceptions=True)


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
