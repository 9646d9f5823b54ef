"""What is special to streams: trimming, idempotency keys, order by key, and lag in health."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from typing import TYPE_CHECKING, Any

from oneiric_redis_pubsub import RedisStreamAdapter

if TYPE_CHECKING:
    from oneiric.adapters.messaging import Message


async def _tidied(bus: RedisStreamAdapter, queue: str) -> int:
    """How many messages a queue has after its old ones were trimmed."""
    from oneiric_redis_pubsub.streams.keys import Keys
    from oneiric_redis_pubsub.streams.upkeep import tidy

    keys = Keys(bus.settings.prefix, queue)
    assert bus._session is not None
    await tidy(bus._session.line, keys, bus.settings)
    return int(await bus.raw.xlen(keys.stream))


async def test_what_a_group_has_not_acknowledged_is_not_trimmed(
    streams: Any, queue: str, begun: Any, until: Any
) -> None:
    bus = await streams(retention=0.2, heartbeat=60)
    await bus.raw.xgroup_create(f"oneiric:stream:{queue}", "slow", id="0", mkstream=True)
    await bus.publish_many(queue, [{"n": n} for n in range(1000)])
    handled: list[int] = []

    async def handle(message: Message) -> None:
        handled.append(message["n"])

    begun(bus.consume(queue, handle))
    await until(lambda: len(handled) == 1000)
    old = time.monotonic() + 0.3
    await until(lambda: time.monotonic() > old)
    assert await _tidied(bus, queue) == 1000, "The group `slow` has had none of it."

    stop = asyncio.Event()
    slow: list[int] = []

    async def handle_slowly(message: Message) -> None:
        slow.append(message["n"])
        if message["n"] == 500:
            await stop.wait()

    begun(bus.consume(queue, handle_slowly, group="slow", concurrency=2))
    await until(lambda: len(slow) == 1000)

    async def is_trimmed() -> bool:
        return await _tidied(bus, queue) <= 600

    await until(is_trimmed)
    assert await _tidied(bus, queue) >= 500, "Message 500 and those after it are kept: it is being handled."
    ((_, fields),) = await bus.raw.xrange(f"oneiric:stream:{queue}", count=1)
    assert b'"n":' in fields[b"body"]
    stop.set()

    async def all_is_trimmed() -> bool:
        return await _tidied(bus, queue) <= 100

    await until(all_is_trimmed)


async def test_message_keys_are_forgotten_when_their_messages_are_trimmed(
    streams: Any, queue: str, begun: Any, until: Any
) -> None:
    bus = await streams(retention=0.2)
    for number in range(10):
        await bus.publish(queue, {"n": number}, key=f"k{number}")
    assert await bus.raw.hlen(f"oneiric:latest:{queue}") == 10
    handled: list[int] = []

    async def handle(message: Message) -> None:
        handled.append(message["n"])

    begun(bus.consume(queue, handle, concurrency=4))

    async def are_forgotten() -> bool:
        await bus.publish(queue, {"n": -1})  # so that the group's last message is not of a key
        await _tidied(bus, queue)
        return int(await bus.raw.hlen(f"oneiric:latest:{queue}")) == 0

    await until(are_forgotten)


async def test_health_says_how_far_groups_are_behind(streams: Any, queue: str) -> None:
    bus = await streams()
    await bus.publish_many(queue, [{}] * 3)
    health = await bus.health()
    assert health
    assert health.detail == f"`{queue}` for `default`: 3 to be given, 0 pending."


async def test_scripts_that_the_server_has_forgotten_are_sent_again(streams: Any, queue: str) -> None:
    bus = await streams()
    await bus.publish(queue, {"n": 1})
    await bus.raw.script_flush()
    await bus.publish(queue, {"n": 2})


def test_an_adapter_can_be_used_in_another_event_loop_after_the_first_has_ended(url: str, queue: str) -> None:
    bus = RedisStreamAdapter({"url": url})

    async def use() -> str:
        await bus.init()
        return await bus.publish(queue, {"n": 1})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the first loop was ended with its connections open
        first = asyncio.run(use())
        gc.collect()
        second = asyncio.run(use())
        gc.collect()
        asyncio.run(bus.cleanup())
        gc.collect()
    assert first != second
