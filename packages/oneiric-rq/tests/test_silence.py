"""A broker that accepts and never answers, that breaks off in the middle, or that isn't there."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import Task
from oneiric.errors import ConnectionFailed, DeadlineExceeded
from oneiric.testing.proxy import Fault, FaultProxy
from oneiric.testing.stalls import _waited
from oneiric_rq import RedisQueueAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from oneiric.testing.valkey import ValkeyServer

DEADLINE = 0.5
GRACE = 0.1
LONGEST_STALL = 0.01

CALLS: dict[str, Callable[[RedisQueueAdapter], Awaitable[Any]]] = {
    "submit_task": lambda adapter: adapter.submit_task("f", ["x" * 1000]),
    "submit_many": lambda adapter: adapter.submit_many([Task(name="f")] * 20),
    "get_task_status": lambda adapter: adapter.get_task_status("a"),
    "wait_for_result": lambda adapter: adapter.wait_for_result("a", timeout=DEADLINE),
    "wait_for_result, for long": lambda adapter: adapter.wait_for_result("a", timeout=60),
    "cancel_task": lambda adapter: adapter.cancel_task("a"),
    "queue_depth": lambda adapter: adapter.queue_depth(),
    "list_workers": lambda adapter: adapter.list_workers(),
}


@asynccontextmanager
async def behind(server: ValkeyServer) -> AsyncIterator[tuple[FaultProxy, RedisQueueAdapter]]:
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        adapter = RedisQueueAdapter({"url": f"redis://{proxy.host}:{proxy.port}", "timeout": DEADLINE})
        adapter.name = "jobs"
        async with adapter:
            await adapter.queue_depth()
            yield proxy, adapter


async def stalls(stop: asyncio.Event) -> list[float]:
    """By how much each beat of the event loop comes late, less what this thread has waited for a processor."""
    late = []
    while not stop.is_set():
        before, waited = time.perf_counter(), _waited()
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - before - 0.001 - (_waited() - waited))
    return late


ATTEMPTS = 5
"""A machine that is busy takes its time now and then; an adapter that does, does so each time."""


async def measured(call: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """How long a call took that raises DeadlineExceeded, and how late the event loop was: its 99th percentile."""
    stop = asyncio.Event()
    beats = asyncio.create_task(stalls(stop))
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        await call()
    took = time.monotonic() - start
    stop.set()
    assert caught.value.transient
    assert caught.value.adapter == "jobs"
    return took, quantiles(await beats, n=100)[98]


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_to_a_silent_broker_ends_at_its_deadline_and_holds_up_nobody(
    server: ValkeyServer, call: str
) -> None:
    async with behind(server) as (proxy, adapter):
        await proxy.fail(Fault.BLACKHOLE)
        measures: list[tuple[float, float]] = []
        while not measures or (not is_good(measures[-1]) and len(measures) < ATTEMPTS):
            measures.append(await measured(lambda: CALLS[call](adapter)))
    assert is_good(measures[-1]), measures
    assert measures[-1][0] >= DEADLINE - 0.05


def is_good(measure: tuple[float, float]) -> bool:
    took, stall = measure
    return took <= DEADLINE + GRACE and stall <= LONGEST_STALL


async def test_ten_megabytes_for_a_silent_broker_end_in_time_too(server: ValkeyServer) -> None:
    """To check and to pack them takes its time, whatever the broker does."""
    async with behind(server) as (proxy, adapter):
        await proxy.fail(Fault.BLACKHOLE)
        took, _ = await measured(lambda: adapter.submit_task("f", ["x" * 10_000_000]))
    assert took <= DEADLINE + 2


async def test_health_of_a_silent_broker_is_no_at_the_deadline(server: ValkeyServer) -> None:
    async with behind(server) as (proxy, adapter):
        await proxy.fail(Fault.BLACKHOLE)
        start = time.monotonic()
        health = await adapter.health()
        assert not health
        assert "in time" in health.detail
        assert time.monotonic() - start <= DEADLINE + GRACE


async def test_an_init_to_a_silent_broker_ends_at_the_deadline(server: ValkeyServer) -> None:
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        await proxy.fail(Fault.SILENT)
        adapter = RedisQueueAdapter({"url": f"redis://{proxy.host}:{proxy.port}", "timeout": DEADLINE})
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await adapter.init()
        assert time.monotonic() - start <= DEADLINE + GRACE
        await adapter.cleanup()


async def test_cleanup_does_not_wait_for_a_silent_broker_and_ends_the_calls_under_way(server: ValkeyServer) -> None:
    async with behind(server) as (proxy, adapter):
        waiting = asyncio.create_task(adapter.wait_for_result(await adapter.submit_task("f"), timeout=60))
        await asyncio.sleep(0)
        await proxy.fail(Fault.BLACKHOLE)
        depth = asyncio.create_task(adapter.queue_depth(timeout=60))
        await asyncio.sleep(0.05)
        start = time.monotonic()
        await adapter.cleanup()
        assert time.monotonic() - start <= GRACE
        ended = await asyncio.wait_for(asyncio.gather(waiting, depth, return_exceptions=True), 5)
        assert isinstance(ended[1], ConnectionFailed)
        assert isinstance(ended[0], Exception)


async def test_a_broker_that_breaks_off_in_the_middle_of_a_call_is_said(server: ValkeyServer) -> None:
    async with behind(server) as (proxy, adapter):
        await proxy.fail(Fault.BLACKHOLE)
        calls = [asyncio.create_task(call(adapter)) for name, call in CALLS.items() if "wait" not in name]
        await asyncio.sleep(0.1)
        await proxy.fail(Fault.REFUSED)
        for ended in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(ended, ConnectionFailed), ended
            assert ended.transient


async def test_a_submit_with_an_id_can_be_made_again_after_a_lost_reply(server: ValkeyServer, name: str) -> None:
    """The broker has done it, and its answer was lost: the second submit makes no second task."""
    async with behind(server) as (proxy, adapter):
        await proxy.fail(Fault.CUT)
        with pytest.raises(ConnectionFailed):
            await adapter.submit_task("f", task_id=name, queue=name)
        with pytest.raises(ConnectionFailed):
            await adapter.submit_many([Task(name="f", task_id=f"{name}-{n}", queue=name) for n in range(3)])
        await proxy.fail(Fault.NONE)
        assert await adapter.queue_depth(name) == 4
        assert await adapter.submit_task("f", task_id=name, queue=name) == name
        await adapter.submit_many([Task(name="f", task_id=f"{name}-{n}", queue=name) for n in range(3)])
        assert await adapter.queue_depth(name) == 4


async def test_what_is_one_round_trip(server: ValkeyServer, name: str) -> None:
    async with behind(server) as (proxy, adapter):
        await adapter.submit_task("f", queue=name)  # the first one tells the broker the script
        for call in (
            lambda: adapter.submit_task("f", queue=name),
            lambda: adapter.submit_task("f", queue=name, task_id=name),
            lambda: adapter.submit_many(
                [Task(name="f", queue=name)] * 20
            ),  # of more, the broker may answer the first before it has the last
            lambda: adapter.get_task_status(name),
            lambda: adapter.queue_depth(name),
        ):
            before = proxy.round_trips
            await call()
            assert proxy.round_trips == before + 1
