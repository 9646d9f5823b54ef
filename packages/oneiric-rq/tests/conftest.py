"""One server for all tests that don't kill theirs; queues and ids are new in each test."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio
from oneiric.testing.valkey import ValkeyServer
from oneiric_rq import RedisQueueAdapter
from redis import Redis
from rq import Queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--tasks 2000 --kills 15` is the whole of test_loss.py, which takes minutes."""
    parser.addoption("--tasks", type=int, default=300, help="how many tasks are submitted while workers are killed")
    parser.addoption("--kills", type=int, default=5, help="how many workers are killed")


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder), fsync="everysec")
        server.start()
        yield server
        server.kill()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """One that may be killed."""
    server = ValkeyServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def name() -> str:
    """Of a queue that nobody has used."""
    return f"test-{uuid4().hex}"


@pytest.fixture
def client(server: ValkeyServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def plain(client: Redis, name: str) -> Queue:
    """The same queue, as code without Oneiric has it."""
    return Queue(name, connection=client, serializer="json")


@pytest_asyncio.fixture
async def adapter(server: ValkeyServer, name: str) -> AsyncIterator[RedisQueueAdapter]:
    adapter = RedisQueueAdapter({"url": server.url, "queue": name})
    adapter.name = "jobs"
    async with adapter:
        yield adapter
