"""oneiric-redis-pubsub against redis-py's asyncio client and FastStream, all on one Valkey in memory."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from faststream.redis import RedisBroker, StreamSub
from oneiric.embedded import join
from oneiric.embedded.valkey import ValkeyEngine
from oneiric_redis_pubsub import RedisMessageAdapter, RedisStreamAdapter
from redis.asyncio import Redis

from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from oneiric.adapters.messaging import Message, MessageAdapter

CALLS = 1000
BATCHES = 10
BATCH = 100
CONSUMED = 5000
CONSUMED_BY_FASTSTREAM = 1000
LATENCIES = 500
BODY = {"id": 7, "item": "tea", "price": 4.25, "tags": ["a", "b"], "to": {"name": "Zoë", "city": "北京"}}

_numbers = count()


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Start a server that nobody else uses, and say what is compared."""
    logging.getLogger("faststream").setLevel(logging.ERROR)
    async with AsyncExitStack() as stack:
        member = await join(f"embedded://bench-{os.getpid()}", ValkeyEngine("oneiric-redis-pubsub"))
        stack.push_async_callback(member.leave)
        settings = {"url": member.url}
        pubsub = await stack.enter_async_context(RedisMessageAdapter(settings))
        streams = await stack.enter_async_context(RedisStreamAdapter({**settings, "create_group": False}))
        raw = await stack.enter_async_context(Redis.from_url(member.url))
        yield _pairs(Ours(pubsub), Durable(streams), Raw(raw), FastStream(member.url))


def _pairs(ours: Ours, durable: Durable, raw: Raw, faststream: FastStream) -> list[Pair]:
    return [
        Pair(what="publish, one at a time, vs redis-py", ours=ours.singles, theirs=raw.singles, at_least=0.85),
        Pair(what="durable publish vs redis-py's xadd", ours=durable.singles, theirs=raw.xadds, at_least=0.8),
        Pair(what="100 publishes at once vs redis-py's gather", ours=ours.at_once, theirs=raw.at_once, at_least=4),
        Pair(
            what="100 durable ones at once vs redis-py's gather",
            ours=durable.at_once,
            theirs=raw.xadds_at_once,
            at_least=4,
        ),
        Pair(
            what="publish_many(100) vs a pipeline of redis-py's", ours=ours.batches, theirs=raw.batches, at_least=0.75
        ),
        Pair(
            what="durable publish_many(100) vs a pipeline of xadd",
            ours=durable.batches,
            theirs=raw.xadd_batches,
            at_least=0.75,
        ),
        Pair(
            what="durable consume vs xreadgroup and xack by 100",
            ours=durable.consumed,
            theirs=raw.consumed,
            at_least=0.75,
        ),
        Pair(what="durable consume vs FastStream", ours=durable.consumed_few, theirs=faststream.consumed, at_least=8),
        Pair(what="Pub/Sub consume vs redis-py's listen", ours=ours.received, theirs=raw.received, at_least=0.7),
        Pair(what="latency, p99, vs raw Pub/Sub", ours=ours.latency, theirs=raw.latency, at_most=2),
        Pair(
            what="latency of a durable subscriber, p99, vs raw Pub/Sub",
            ours=durable.live,
            theirs=raw.latency,
            at_most=2,
        ),
        Pair(
            what="latency of a durable consumer, p99, vs raw Pub/Sub",
            ours=durable.latency,
            theirs=raw.latency,
            at_most=2,
        ),
    ]


class Ours:
    """An adapter."""

    def __init__(self, bus: MessageAdapter) -> None:
        self.bus = bus

    async def singles(self) -> None:
        for _ in range(CALLS):
            await self.bus.publish("singles", BODY)

    async def at_once(self) -> None:
        for _ in range(BATCHES):
            await asyncio.gather(*(self.bus.publish("singles", BODY) for _ in range(BATCH)))

    async def batches(self) -> None:
        for _ in range(BATCHES):
            await self.bus.publish_many("singles", [BODY] * BATCH)

    async def received(self) -> float:
        return await self.receive(_new("received"), CONSUMED)

    async def receive(self, queue: str, number: int) -> float:
        received, done = 0, asyncio.Event()

        async def handle(_: Message) -> None:
            nonlocal received
            received += 1
            if received == number:
                done.set()

        async with _running(self.bus.consume(queue, handle)):
            await _until(lambda: _listens(self.bus.raw, queue))
            start = time.perf_counter()
            for _ in range(number // BATCH):
                await self.bus.publish_many(queue, [BODY] * BATCH)
            await done.wait()
            return time.perf_counter() - start

    async def latency(self) -> float:
        return await self.measured(self.bus.consume)

    async def measured(self, consume: Callable[..., Any]) -> float:
        queue, waits = _new("latency"), Waits()

        async def handle(_: Message) -> None:
            waits.arrived()

        async with _running(consume(queue, handle)):
            await _until(lambda: self.is_heard(queue, waits))
            return await waits.p99(lambda: self.bus.publish(queue, BODY))

    async def is_heard(self, queue: str, waits: Waits) -> bool:
        await self.bus.publish(queue, BODY)
        await asyncio.sleep(0.01)
        return waits.has_heard


class Durable(Ours):
    """The adapter of streams."""

    async def consumed(self) -> float:
        return await self._consume(CONSUMED) / CONSUMED

    async def consumed_few(self) -> float:
        return await self._consume(CONSUMED_BY_FASTSTREAM) / CONSUMED_BY_FASTSTREAM

    async def live(self) -> float:
        async def consume(queue: str, handle: Callable[[Message], Awaitable[None]]) -> None:
            async with aclosing(self.bus.subscribe(queue)) as messages:
                async for message in messages:
                    await handle(message)

        return await self.measured(consume)

    async def _consume(self, number: int) -> float:
        """The seconds until all that was published is acknowledged."""
        queue = _new("consumed")
        for _ in range(number // BATCH):
            await self.bus.publish_many(queue, [BODY] * BATCH)
        handled, done = 0, asyncio.Event()

        async def handle(_: Message) -> None:
            nonlocal handled
            handled += 1
            if handled == number:
                done.set()

        start = time.perf_counter()
        async with _running(self.bus.consume(queue, handle)):
            await done.wait()
            await _until(lambda: self._is_acknowledged(queue))
            return time.perf_counter() - start

    async def _is_acknowledged(self, queue: str) -> bool:
        (group,) = await self.bus.raw.xinfo_groups(f"oneiric:stream:{queue}")
        return bool(group["pending"] == 0)


class Raw:
    """redis-py, as its documentation uses it, with JSON."""

    def __init__(self, client: Redis) -> None:
        self.client = client

    async def singles(self) -> None:
        for _ in range(CALLS):
            await self.client.publish("singles", json.dumps(BODY))

    async def xadds(self) -> None:
        for _ in range(CALLS):
            await self.client.xadd("xadds", {"body": json.dumps(BODY)})

    async def at_once(self) -> None:
        for _ in range(BATCHES):
            await asyncio.gather(*(self.client.publish("singles", json.dumps(BODY)) for _ in range(BATCH)))

    async def xadds_at_once(self) -> None:
        for _ in range(BATCHES):
            await asyncio.gather(*(self.client.xadd("xadds", {"body": json.dumps(BODY)}) for _ in range(BATCH)))

    async def batches(self) -> None:
        for _ in range(BATCHES):
            await self._publish("singles")

    async def xadd_batches(self) -> None:
        for _ in range(BATCHES):
            await self._add("xadds")

    async def consumed(self) -> float:
        stream = _new("raw")
        for _ in range(CONSUMED // BATCH):
            await self._add(stream)
        await self.client.xgroup_create(stream, "g", id="0")
        handled = 0
        start = time.perf_counter()
        while handled < CONSUMED:
            ((_, entries),) = await self.client.xreadgroup("g", "c", {stream: ">"}, count=BATCH, block=1000)
            for _, fields in entries:
                json.loads(fields[b"body"])
                handled += 1
            await self.client.xack(stream, "g", *(entry_id for entry_id, _ in entries))
        return (time.perf_counter() - start) / CONSUMED

    async def received(self) -> float:
        channel = _new("raw")
        async with self.client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(channel)
            await _until(lambda: _listens(self.client, channel))
            received = 0
            start = time.perf_counter()
            publishing = asyncio.ensure_future(self._publish_all(channel))
            async for message in pubsub.listen():
                json.loads(message["data"])
                received += 1
                if received == CONSUMED:
                    break
            await publishing
            return time.perf_counter() - start

    async def latency(self) -> float:
        channel, waits = _new("raw"), Waits()
        async with self.client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(channel)

            async def listen() -> None:
                async for message in pubsub.listen():
                    json.loads(message["data"])
                    waits.arrived()

            async with _running(listen()):
                await _until(lambda: _listens(self.client, channel))
                return await waits.p99(lambda: self.client.publish(channel, json.dumps(BODY)))

    async def _publish_all(self, channel: str) -> None:
        for _ in range(CONSUMED // BATCH):
            await self._publish(channel)

    async def _publish(self, channel: str) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for _ in range(BATCH):
            pipeline.publish(channel, json.dumps(BODY))
        await pipeline.execute()

    async def _add(self, stream: str) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for _ in range(BATCH):
            pipeline.xadd(stream, {"body": json.dumps(BODY)})
        await pipeline.execute()


class FastStream:
    """A subscriber to a stream, in a group, which acknowledges."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def consumed(self) -> float:
        broker = RedisBroker(self.url, logger=None)
        stream = _new("faststream")
        handled, done = 0, asyncio.Event()

        @broker.subscriber(stream=StreamSub(stream, group="g", consumer="c"))
        async def handle(_: dict[str, Any]) -> None:
            nonlocal handled
            handled += 1
            if handled == CONSUMED_BY_FASTSTREAM:
                done.set()

        await broker.connect()
        for _ in range(CONSUMED_BY_FASTSTREAM):
            await broker.publish(BODY, stream=stream)
        async with Redis.from_url(self.url) as client:
            await client.xgroup_create(stream, "g", id="0")
        start = time.perf_counter()
        await broker.start()
        await done.wait()
        took = time.perf_counter() - start
        await broker.stop()
        return took / CONSUMED_BY_FASTSTREAM


class Waits:
    """How long each message takes, one after the other."""

    def __init__(self) -> None:
        self._arrival: asyncio.Future[float] | None = None
        self.has_heard = False

    def arrived(self) -> None:
        self.has_heard = True
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(time.perf_counter())

    async def p99(self, publish: Callable[[], Awaitable[Any]]) -> float:
        waits = []
        for _ in range(LATENCIES):
            self._arrival = asyncio.get_running_loop().create_future()
            start = time.perf_counter()
            await publish()
            waits.append(await self._arrival - start)
        return sorted(waits)[LATENCIES * 99 // 100]


def _new(name: str) -> str:
    return f"{name}-{next(_numbers)}"


async def _listens(client: Redis, channel: str) -> bool:
    ((_, listeners),) = await client.pubsub_numsub(channel)
    return bool(listeners)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.001)


@asynccontextmanager
async def _running(work: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
