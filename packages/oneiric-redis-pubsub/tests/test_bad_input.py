"""Callbacks that misbehave, and servers that can't or won't: a typed error or another delivery, and never a silent stop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import AuthenticationFailed, Unsupported
from oneiric_redis_pubsub import RedisMessageAdapter, RedisStreamAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.messaging import Message
    from oneiric.testing.valkey import ValkeyServer

Make = "Callable[..., Awaitable[Any]]"


class Given:
    """What consumers were given, and for how the many-th time."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, int]] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append((message["n"], message.delivery_count))

    @property
    def numbers(self) -> set[int]:
        return {number for number, _ in self.messages}


async def test_a_callback_that_hangs_keeps_its_message_and_no_other(
    streams: Make, queue: str, begun: Any, until: Any
) -> None:
    one, other = await streams(drain=0.2), await streams()
    given = Given()

    async def handle(message: Message) -> None:
        if message["n"] == 0:
            await asyncio.Event().wait()
        await given(message)

    await one.publish_many(queue, [{"n": n} for n in range(50)])
    consumer = begun(one.consume(queue, handle, concurrency=2))
    await until(lambda: given.numbers == {*range(1, 50)})
    again = Given()
    begun(other.consume(queue, again))
    async with asyncio.timeout(5):
        await one.cleanup()
    assert await consumer is None
    await until(lambda: again.messages == [(0, 2)])


async def test_a_callback_that_hangs_does_not_hang_a_cleanup_of_pubsub(
    pubsub: Make, queue: str, begun: Any, until: Any
) -> None:
    bus = await pubsub(drain=0.2)
    given = Given()

    async def handle(message: Message) -> None:
        await given(message)
        await asyncio.Event().wait()

    consumer = begun(bus.consume(queue, handle))

    async def has_come() -> bool:
        await bus.publish(queue, {"n": 0})
        return bool(given.messages)

    await until(has_come)
    async with asyncio.timeout(5):
        await bus.cleanup()
    assert await consumer is None


@pytest.mark.parametrize(("late", "is_handled"), [(0.05, True), (3.0, False)])
async def test_a_callback_that_returns_late_after_its_cancellation(
    streams: Make, queue: str, begun: Any, until: Any, late: float, is_handled: bool
) -> None:
    """In time, its message is handled; later than anybody waits, it is given to another."""
    one, other = await streams(drain=0.1, connect_timeout=0.5), await streams()
    given, again, has_returned = Given(), Given(), asyncio.Event()

    async def handle(message: Message) -> None:
        await given(message)
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.sleep(late)
        has_returned.set()

    await one.publish(queue, {"n": 0})
    consumer = begun(one.consume(queue, handle))
    await until(lambda: given.messages)
    await one.cleanup()
    assert has_returned.is_set() == is_handled
    begun(other.consume(queue, again))
    await other.publish(queue, {"n": 1})
    await until(lambda: again.numbers == ({1} if is_handled else {0, 1}))
    await until(consumer.done)
    assert consumer.result() is None
    assert sorted(again.messages) == ([(1, 1)] if is_handled else [(0, 2), (1, 1)])


async def test_a_callback_that_is_not_async_has_its_messages_put_aside(
    streams: Make, queue: str, begun: Any, until: Any
) -> None:
    bus = await streams()
    begun(bus.consume(queue, lambda _: None))
    await bus.publish(queue, {"n": 0})

    async def is_put_aside() -> bool:
        return [letter.error.partition(":")[0] for letter in await bus.dead_letters(queue)] == ["TypeError"]

    await until(is_put_aside)


@pytest.mark.parametrize(
    ("adapter", "command"),
    [
        (RedisMessageAdapter, "PUBLISH"),
        (RedisMessageAdapter, "SUBSCRIBE"),
        (RedisStreamAdapter, "EVALSHA"),
        (RedisStreamAdapter, "XREADGROUP"),
        (RedisStreamAdapter, "XCLAIM"),
    ],
)
async def test_a_server_without_a_command_that_is_needed_is_refused_at_init(
    own_server: Callable[..., ValkeyServer], adapter: type[Any], command: str
) -> None:
    bus = adapter({"url": own_server("--rename-command", command, "").url})
    with pytest.raises(Unsupported, match=f"lacks {command}"):
        await bus.init()
    await bus.cleanup()


@pytest.mark.parametrize("adapter", [RedisMessageAdapter, RedisStreamAdapter])
async def test_a_server_that_begins_to_demand_a_password_ends_who_receives_with_an_error(
    own_server: Callable[..., ValkeyServer], adapter: type[Any], queue: str, begun: Any, until: Any
) -> None:
    given, also_given = Given(), Given()
    async with adapter({"url": own_server().url, "watchdog": 1}) as bus:

        async def subscribe() -> None:
            async for message in bus.subscribe(queue):
                await also_given(message)

        receiving = [begun(bus.consume(queue, given)), begun(subscribe())]

        async def has_come() -> bool:
            await bus.publish(queue, {"n": 0})
            return bool(given.messages and also_given.messages)

        await until(has_come)
        await bus.raw.config_set("requirepass", "another")
        for kind in ("pubsub", "normal"):
            await bus.raw.execute_command("CLIENT", "KILL", "TYPE", kind)
        await asyncio.wait(receiving, timeout=20)
        for task in receiving:
            assert isinstance(task.exception(), AuthenticationFailed)
        with pytest.raises(AuthenticationFailed):
            await bus.publish(queue, {"n": 1})
