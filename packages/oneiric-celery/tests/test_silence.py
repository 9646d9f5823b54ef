"""A broker, or a result backend, that accepts and never answers: every call ends at its deadline, and the loop goes on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import Task
from oneiric.errors import ConnectionFailed, DeadlineExceeded
from oneiric.testing.proxy import Fault, FaultProxy
from oneiric_celery import CeleryQueueAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE = 0.5
LATE = 0.1
STALL = 0.01
NAME = "myapp.tasks.add"
CALLS = {
    "submit": lambda queue: queue.submit_task(NAME, [1], timeout=DEADLINE),
    "submit with an id": lambda queue: queue.submit_task(NAME, [1], task_id="mine", timeout=DEADLINE),
    "submit_many": lambda queue: queue.submit_many([Task(name=NAME)] * 100, timeout=DEADLINE),
    "status": lambda queue: queue.get_task_status("x", timeout=DEADLINE),
    "wait": lambda queue: queue.wait_for_result("x", timeout=DEADLINE),
    "cancel": lambda queue: queue.cancel_task("x", timeout=DEADLINE),
    "depth": lambda queue: queue.queue_depth(timeout=DEADLINE),
    "workers": lambda queue: queue.list_workers(timeout=DEADLINE),
}
ASK_THE_BROKER = {"submit", "submit with an id", "submit_many", "depth", "workers"}


@pytest.fixture
async def proxy(shared_valkey: Any) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", shared_valkey.port) as proxy:
        yield proxy


async def _stalls(beats: list[float]) -> None:
    while True:
        start, waited = time.perf_counter(), _waited()
        await asyncio.sleep(0.002)
        beats.append(time.perf_counter() - start - 0.002 - (_waited() - waited))


def _waited() -> float:
    """Seconds for which this thread had no processor, as others had it; Linux says so."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1]) / 1e9
    except OSError:
        return 0.0


async def _ends_in_time(call: Any, queue: CeleryQueueAdapter) -> None:
    """At its deadline. A busy machine makes the loop stand still now and then, a call that blocks it does so each time."""
    worst = 1.0
    for _ in range(5):
        worst = min(worst, await _stall_of_a_call(call, queue))
        if worst <= STALL:
            return
    pytest.fail(f"The loop stood still for {worst * 1000:.0f} ms at the 99th percentile.")


async def _stall_of_a_call(call: Any, queue: CeleryQueueAdapter) -> float:
    """For how long the loop stood still, at the 99th percentile, while the call waited for its deadline."""
    beats: list[float] = []
    heart = asyncio.ensure_future(_stalls(beats))
    await asyncio.sleep(0.01)
    start = time.monotonic()
    with pytest.raises((DeadlineExceeded, ConnectionFailed)) as caught:
        await call(queue)
    took = time.monotonic() - start
    heart.cancel()
    assert caught.value.transient
    assert took <= DEADLINE + LATE, f"It took {took:.3f} s."
    return sorted(beats)[int(len(beats) * 0.99) - 1]


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.BLACKHOLE])
@pytest.mark.parametrize("call", CALLS)
async def test_a_call_to_a_silent_server_ends_at_its_deadline(proxy: FaultProxy, call: str, fault: Fault) -> None:
    async with CeleryQueueAdapter({"broker_url": f"redis://127.0.0.1:{proxy.port}/0"}) as queue:
        await queue.queue_depth()
        await proxy.fail(fault)
        await _ends_in_time(CALLS[call], queue)


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_to_a_silent_broker_ends_at_its_deadline_where_the_results_are_elsewhere(
    proxy: FaultProxy, shared_valkey: Any, call: str
) -> None:
    """What needs the results alone works on."""
    shared_valkey.client.delete("celery-task-meta-mine")
    config = {"broker_url": f"redis://127.0.0.1:{proxy.port}/0", "result_backend": shared_valkey.url}
    async with CeleryQueueAdapter(config) as queue:
        await queue.queue_depth()
        await proxy.fail(Fault.BLACKHOLE)
        if call in ASK_THE_BROKER:
            await _ends_in_time(CALLS[call], queue)
        else:
            assert (await queue.get_task_status("nothing"))["state"] == "unknown"


async def test_health_says_which_is_silent_and_cleanup_ends(proxy: FaultProxy, shared_valkey: Any) -> None:
    silent, works = f"redis://127.0.0.1:{proxy.port}/0", shared_valkey.url
    for urls, said in (((silent, works), "The broker"), ((works, silent), "The result backend")):
        adapter = CeleryQueueAdapter({"broker_url": urls[0], "result_backend": urls[1], "timeout": DEADLINE})
        await proxy.fail(Fault.NONE)
        await adapter.init()
        assert await adapter.health()
        await proxy.fail(Fault.BLACKHOLE)
        start = time.monotonic()
        health = await adapter.health()
        assert not health
        assert health.detail.startswith(said)
        assert time.monotonic() - start <= DEADLINE + LATE
        start = time.monotonic()
        await adapter.cleanup()
        assert time.monotonic() - start <= DEADLINE + LATE


async def test_a_silent_rabbitmq_ends_calls_at_their_deadline(rabbitmq: Any, shared_valkey: Any) -> None:
    async with FaultProxy("127.0.0.1", rabbitmq.port) as proxy:
        url = f"amqp://guest:guest@127.0.0.1:{proxy.port}//"
        async with CeleryQueueAdapter({"broker_url": url, "result_backend": shared_valkey.url, "timeout": 5}) as queue:
            await queue.queue_depth()
            for fault in (Fault.BLACKHOLE, Fault.SILENT):
                await proxy.fail(fault)
                for call in sorted(ASK_THE_BROKER):
                    await _ends_in_time(CALLS[call], queue)
            await proxy.fail(Fault.NONE)
            async with asyncio.timeout(20):
                while not await queue.health():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await queue.submit_task(NAME, queue="after-silence")
