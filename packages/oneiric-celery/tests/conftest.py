"""What the tests share: a Valkey server, workers in processes of their own, and adapters."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from oneiric.adapters.queue.worker_process import WorkerProcess
from oneiric.testing.valkey import ValkeyServer
from oneiric_celery import CeleryQueueAdapter

sys.path.insert(0, str(Path(__file__).parent))  # tests are imported one by one, and not as a package
import rabbitmq as rabbitmq_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

HERE = Path(__file__).parent
STARTS_WITHIN = 60.0


class Valkey(ValkeyServer):
    """A server on files of its own, that can be killed and started again on them."""

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True)


@contextmanager
def valkey_server(folder: Path) -> Iterator[Valkey]:
    folder.mkdir(exist_ok=True)
    server = Valkey(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Worker(WorkerProcess):
    """A worker in processes of its own."""

    def __init__(
        self, broker: str | None, *queues: str, backend: str | None = None, options: tuple[str, ...] = ()
    ) -> None:
        environment = {**os.environ, "C_FORCE_ROOT": "1"}
        if broker:
            environment["ONEIRIC_CELERY_BROKER"] = broker
        if backend:
            environment["ONEIRIC_CELERY_RESULT_BACKEND"] = backend
        environment["PYTHONPATH"] = str(HERE)
        environment["PYTHONWARNINGS"] = "ignore"
        command = [sys.executable, "-m", "oneiric_celery", "worker", "served_tasks:app", "--concurrency", "1"]
        command += ["--name", f"w{time.monotonic_ns()}@test", "--log-level", "warning", *options]
        if queues or broker:
            command += ["--queues", ",".join(queues or ("celery",))]
        super().__init__(command, environment=environment)

    def kill(self) -> None:
        """With SIGKILL, the processes of its pool too."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        super().kill()


@asynccontextmanager
async def running_worker(
    adapter_config: dict[str, Any], *queues: str, options: tuple[str, ...] = ()
) -> AsyncIterator[Worker]:
    """A worker that serves queues: it is there when it answers."""
    worker = Worker(
        adapter_config["broker_url"], *queues, backend=adapter_config.get("result_backend"), options=options
    )
    async with worker:
        async with CeleryQueueAdapter(adapter_config) as adapter:
            give_up = time.monotonic() + STARTS_WITHIN
            while not any(
                set(queues or ("celery",)) <= set(each.get("queues", ())) for each in await adapter.list_workers()
            ):
                assert not worker.has_ended, "The worker has ended before it began."
                assert time.monotonic() < give_up, "The worker doesn't begin."
                await asyncio.sleep(0.05)
        yield worker


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """RabbitMQ, where the system has it."""
    if os.environ.get("ONEIRIC_WITHOUT_RABBITMQ"):
        pytest.skip("not tested on RabbitMQ in this environment: `tox -e py313-celery` does it")
    if rabbitmq_server.program() is None:
        pytest.skip("NOT TESTED ON RABBITMQ: there is none here. Run: apt-get install rabbitmq-server")
    server = rabbitmq_server.RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    yield server
    server.kill()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that a test may kill."""
    with valkey_server(tmp_path / "valkey") as server:
        yield server


@pytest.fixture(scope="module")
def start_worker() -> Iterator[Callable[..., Worker]]:
    """Start workers, which are stopped at the end of the module."""
    workers: list[Worker] = []

    def start(*arguments: Any, **options: Any) -> Worker:
        workers.append(Worker(*arguments, **options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


@pytest.fixture(scope="module")
def module_worker(shared_valkey: Valkey, start_worker: Callable[..., Worker]) -> Worker:
    """A worker of the default queue."""
    return start_worker(shared_valkey.url)


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[Worker]]:
    """Run a worker for as long as a block lasts."""
    return running_worker


@pytest.fixture
def config(shared_valkey: Valkey) -> dict[str, Any]:
    return {"broker_url": shared_valkey.url}


@pytest.fixture
async def queue(config: dict[str, Any]) -> AsyncIterator[CeleryQueueAdapter]:
    """An initialised adapter."""
    async with CeleryQueueAdapter(config) as adapter:
        yield adapter


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Awaitable[None]]:
    """Wait until a condition holds, thirty seconds at most; it may be awaitable."""

    async def wait(condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while True:
                met = condition()
                if await met if asyncio.iscoroutine(met) else met:
                    return
                await asyncio.sleep(0.01)

    return wait
