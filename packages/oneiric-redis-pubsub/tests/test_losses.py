"""Nothing is lost: consumers that are killed, a server that is killed, and what can't be handled.

The numbers are small for CI; `ONEIRIC_FULL=1` runs the full size.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.messaging import Outgoing
from oneiric.errors import OneiricError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from oneiric.adapters.messaging import Message
    from oneiric.testing.valkey import ValkeyServer
    from oneiric_redis_pubsub import RedisStreamAdapter
    from redis.asyncio import Redis

FULL = os.environ.get("ONEIRIC_FULL") == "1"
MESSAGES = 20_000 if FULL else 3_000
CONSUMERS = 4
KILL_EVERY = 0.3
POISON = 10
KEYS = 20
DELIVERIES = 5


class Nursery:
    """Consumers in processes of their own."""

    def __init__(self, url: str, queue: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("nursery.py")), url, queue]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.alive: list[int] = []
        self.killed = 0

    def bear(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.alive.append(int(self._process.stdout.readline()))

    def kill_one(self) -> None:
        os.kill(self.alive.pop(random.randrange(len(self.alive))), signal.SIGKILL)
        self.killed += 1

    def end(self) -> None:
        for pid in self.alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def nursery(url: str, queue: str) -> Iterator[Nursery]:
    nursery = Nursery(url, queue)
    yield nursery
    nursery.end()


def _message(number: int) -> Outgoing:
    poison = {"poison": True} if number % (MESSAGES // POISON) == 7 else {}
    return Outgoing(body={"n": number, **poison}, key=f"k{number % KEYS}" if number % 2 else None)


@pytest.mark.timeout(300 if FULL else 120)
async def test_no_message_is_lost_by_consumers_that_are_killed(
    streams: Callable[..., Awaitable[RedisStreamAdapter]],
    nursery: Nursery,
    queue: str,
    until: Callable[..., Awaitable[None]],
) -> None:
    bus = await streams()
    ids = [await bus.publish_many(queue, map(_message, range(start, start + 100))) for start in range(0, MESSAGES, 100)]
    poison = {n for n in range(MESSAGES) if _message(n).body.get("poison")}
    for _ in range(CONSUMERS):
        nursery.bear()
    raw = bus.raw

    async def all_are_handled() -> bool:
        handled = {int(n) for n in await raw.lrange(f"handled:{queue}", 0, -1)}
        return len(handled) == MESSAGES - POISON

    async def keep_killing() -> None:
        while True:
            await asyncio.sleep(KILL_EVERY)
            nursery.kill_one()
            nursery.bear()

    killing = asyncio.ensure_future(keep_killing())
    try:
        await until(all_are_handled, 240 if FULL else 90)
    finally:
        killing.cancel()
    assert not killing.done() or killing.cancelled(), killing.exception()

    async def all_are_put_aside() -> bool:
        return len(await bus.dead_letters(queue)) >= POISON

    await until(all_are_put_aside, 60)
    letters = await bus.dead_letters(queue)
    counts = Counter(int(n) for n in await raw.lrange(f"handled:{queue}", 0, -1))
    twice = sum(counts.values()) - len(counts)
    print(
        f"{MESSAGES} messages, {nursery.killed} consumers killed, 0 lost, {twice} handled twice ({twice / MESSAGES:.1%})"
    )
    assert set(counts) == {*range(MESSAGES)} - poison
    assert {letter.message["n"] for letter in letters} == poison
    assert {letter.message.delivery_count for letter in letters} == {DELIVERIES}
    assert twice < MESSAGES / 10
    assert nursery.killed >= 3
    assert sum(map(len, ids)) == MESSAGES
    for key in range(KEYS):
        order = [int(n) for n in await raw.lrange(f"order:{queue}:k{key}", 0, -1)]
        broken = [pair for pair in pairwise(order) if pair[0] > pair[1]]
        assert broken == [], f"Key {key} was handled in another order: {broken}."


async def test_no_acknowledged_publish_is_lost_by_a_server_that_is_killed(
    own_server: Callable[..., ValkeyServer],
    streams: Callable[..., Awaitable[RedisStreamAdapter]],
    queue: str,
    begun: Callable[[Any], asyncio.Task[Any]],
    until: Callable[..., Awaitable[None]],
) -> None:
    server = own_server(fsync="always")
    bus = await streams(url=server.url)
    acknowledged: set[int] = set()
    received: set[int] = set()
    number = iter(range(10**9))

    async def publish() -> None:
        while True:
            n = next(number)
            try:
                await bus.publish(queue, {"n": n}, timeout=2)
            except OneiricError:
                await asyncio.sleep(0.01)
            else:
                acknowledged.add(n)

    async def handle(message: Message) -> None:
        received.add(message["n"])

    begun(bus.consume(queue, handle, concurrency=4))
    publishers = [begun(publish()) for _ in range(4)]
    for _ in range(10 if FULL else 3):
        so_far = len(acknowledged)
        await until(lambda so_far=so_far: len(acknowledged) > so_far + 200)
        server.kill()
        await asyncio.to_thread(server.start)
    so_far = len(acknowledged)
    await until(lambda: len(acknowledged) > so_far + 200)
    for task in publishers:
        task.cancel()
    await asyncio.wait(publishers)
    await until(lambda: received >= acknowledged, 30)


async def test_what_a_consumer_had_is_handed_back_at_once(
    streams: Callable[..., Awaitable[RedisStreamAdapter]],
    queue: str,
    begun: Callable[[Any], asyncio.Task[Any]],
    until: Callable[..., Awaitable[None]],
) -> None:
    """With a heartbeat of ten minutes: nothing waits for it."""
    one, other = await streams(heartbeat=600), await streams(heartbeat=600)
    started, release = asyncio.Event(), asyncio.Event()
    received: list[tuple[int, int]] = []

    async def slow(message: Message) -> None:
        started.set()
        await release.wait()

    async def handle(message: Message) -> None:
        received.append((message["n"], message.delivery_count))

    await one.publish_many(queue, [{"n": n} for n in range(20)])
    first = begun(one.consume(queue, slow))
    await started.wait()
    first.cancel()
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    begun(other.consume(queue, handle))
    await until(lambda: len(received) == 20)
    assert sorted(received) == [(0, 2), *((n, 1) for n in range(1, 20))]


async def test_a_long_handler_is_not_robbed_of_its_message(
    streams: Callable[..., Awaitable[RedisStreamAdapter]],
    queue: str,
    begun: Callable[[Any], asyncio.Task[Any]],
    until: Callable[..., Awaitable[None]],
) -> None:
    one, other = await streams(heartbeat=0.05), await streams(heartbeat=0.05)
    given: list[str] = []

    async def long(message: Message) -> None:
        given.append("one")
        await asyncio.sleep(0.05 * 3 * 5)

    async def handle(message: Message) -> None:
        given.append("other")

    begun(one.consume(queue, long))
    await one.publish(queue, {})
    await until(lambda: given)
    begun(other.consume(queue, handle))
    raw: Redis = one.raw

    async def is_acknowledged() -> bool:
        groups = await raw.xinfo_groups(f"oneiric:stream:{queue}")
        return bool(groups[0]["pending"] == 0)

    await until(is_acknowledged)
    assert given == ["one"]


async def test_a_group_that_was_deleted_is_made_again_and_its_consumer_told(
    streams: Callable[..., Awaitable[RedisStreamAdapter]],
    queue: str,
    begun: Callable[[Any], asyncio.Task[Any]],
    until: Callable[..., Awaitable[None]],
) -> None:
    bus = await streams(watchdog=1)
    received: list[int] = []
    gaps: list[Any] = []

    async def handle(message: Message) -> None:
        received.append(message["n"])

    async def on_gap(gap: Any) -> None:
        gaps.append(gap)

    begun(bus.consume(queue, handle, on_gap=on_gap))
    await bus.publish(queue, {"n": 1})
    await until(lambda: received == [1])
    await bus.raw.xgroup_destroy(f"oneiric:stream:{queue}", "default")
    await until(lambda: gaps)
    await bus.publish(queue, {"n": 2})
    await until(lambda: 2 in received)
    assert gaps[0].queue == queue
    await bus.raw.delete(f"oneiric:stream:{queue}")
    await bus.publish(queue, {"n": 3})
    await until(lambda: 3 in received)
