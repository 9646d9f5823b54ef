"""A silent network, servers that refuse, readers that are too slow: noticed in time, told, and recovered from."""

from __future__ import annotations

import asyncio
import gc
import os
import time
import tracemalloc
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import AuthenticationFailed, ConnectionFailed, MessagingError
from oneiric.testing.held import Held, left_behind
from oneiric.testing.proxy import Fault, FaultProxy
from oneiric_redis_pubsub import RedisMessageAdapter, RedisStreamAdapter
from redis import Redis as SyncRedis

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.messaging import Gap, Message
    from oneiric.testing.valkey import ValkeyServer

FULL = os.environ.get("ONEIRIC_FULL") == "1"
SILENCE = 30.0 if FULL else 2.0
SOAK = 60.0 if FULL else 4.0
WATCHDOG = 1.0

Make = "Callable[..., Awaitable[Any]]"


class Log:
    """What a reader was given."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.gaps: list[Gap] = []
        self.told_at: list[datetime] = []

    async def handle(self, message: Message) -> None:
        self.numbers.append(message["n"])

    async def on_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)
        self.told_at.append(datetime.now(UTC))


async def test_a_silent_link_is_noticed_and_the_gap_told(
    server: ValkeyServer, pubsub: Make, queue: str, begun: Any, until: Any
) -> None:
    """No FIN, no RST: a cable was pulled."""
    log = Log()
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        behind = await pubsub(url=f"redis://127.0.0.1:{proxy.port}", watchdog=WATCHDOG, timeout=1, connect_timeout=1)
        direct = await pubsub()
        begun(behind.consume(queue, log.handle, on_gap=log.on_gap))

        async def has_heard() -> bool:
            await direct.publish(queue, {"n": -1})
            return bool(log.numbers)

        await until(has_heard)
        connections = proxy.accepted
        cut_at = datetime.now(UTC)
        started = time.monotonic()
        await proxy.fail(Fault.BLACKHOLE)
        await direct.publish(queue, {"n": 1})
        await until(lambda: proxy.accepted > connections, 5 * WATCHDOG + 5)
        noticed = time.monotonic() - started
        await asyncio.sleep(max(0.0, SILENCE - noticed))
        await proxy.fail(Fault.NONE)
        await until(lambda: log.gaps)

        async def has_recovered() -> bool:
            await direct.publish(queue, {"n": 2})
            return 2 in log.numbers

        await until(has_recovered)
    assert WATCHDOG / 4 < noticed < 2 * WATCHDOG + 1
    assert 1 not in log.numbers
    (gap,) = log.gaps
    assert gap.queue == queue
    assert gap.since <= cut_at + timedelta(seconds=0.1)
    assert gap.since > cut_at - timedelta(seconds=2 * WATCHDOG)


async def test_a_durable_consumer_and_subscriber_miss_nothing_over_a_silent_link(
    server: ValkeyServer, streams: Make, queue: str, begun: Any, until: Any
) -> None:
    consumed, subscribed = Log(), Log()
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        behind = await streams(url=f"redis://127.0.0.1:{proxy.port}", watchdog=WATCHDOG, timeout=1, connect_timeout=1)
        direct = await streams()

        async def subscribe() -> None:
            async with aclosing(behind.subscribe(queue, on_gap=subscribed.on_gap)) as messages:
                async for message in messages:
                    await subscribed.handle(message)

        begun(behind.consume(queue, consumed.handle, on_gap=consumed.on_gap))
        begun(subscribe())

        async def have_heard() -> bool:
            await direct.publish(queue, {"n": -1})
            return bool(subscribed.numbers and consumed.numbers)

        await until(have_heard)
        await proxy.fail(Fault.BLACKHOLE)
        await direct.publish_many(queue, [{"n": n} for n in range(500)])
        await asyncio.sleep(SILENCE)
        await proxy.fail(Fault.NONE)
        await direct.publish(queue, {"n": 500})
        wanted = {*range(501)}
        await until(lambda: {*consumed.numbers} >= wanted and {*subscribed.numbers} >= wanted, 30)
    after = [n for n in subscribed.numbers if n >= 0]
    assert after == [*range(501)], "A subscriber gets each once, and in order."
    assert subscribed.gaps == []


async def test_a_subscriber_goes_on_where_only_the_line_that_it_reads_on_is_gone(
    own_server: Callable[..., ValkeyServer], streams: Make, queue: str, begun: Any, until: Any
) -> None:
    server = own_server()
    bus = await streams(url=server.url)
    log = Log()

    async def subscribe() -> None:
        async with aclosing(bus.subscribe(queue)) as messages:
            async for message in messages:
                await log.handle(message)

    subscriber = begun(subscribe())

    async def has_heard() -> bool:
        await bus.publish(queue, {"n": 0})
        return bool(log.numbers)

    await until(has_heard)
    with SyncRedis(port=server.port) as client:
        client.config_set("maxclients", 2)  # who listens, and this one
        client.execute_command("CLIENT", "KILL", "TYPE", "normal")
        first, second = (client.xadd(f"oneiric:stream:{queue}", {"body": f'{{"n": {n}}}'}) for n in (1, 2))
        client.publish(f"oneiric:live:{queue}", b"%b\n%b\n\n\n{}" % (second, first))
        await until(lambda: client.info("stats")["rejected_connections"] > 1)
        client.config_set("maxclients", 100)
        await until(lambda: log.numbers[-2:] == [1, 2] or subscriber.done())
    assert not subscriber.done()


async def test_a_reader_that_is_too_slow_for_the_server_is_told(
    own_server: Callable[..., ValkeyServer], pubsub: Make, queue: str, begun: Any, until: Any
) -> None:
    server = own_server("--client-output-buffer-limit", "pubsub 256kb 128kb 1")
    slow, fast = await pubsub(url=server.url, buffer=10), await pubsub(url=server.url)
    log, other = Log(), Log()
    go_on = asyncio.Event()

    async def handle(message: Message) -> None:
        await log.handle(message)
        await go_on.wait()

    begun(slow.consume(queue, handle, on_gap=log.on_gap))
    begun(slow.consume(queue, other.handle))

    async def have_heard() -> bool:
        await fast.publish(queue, {"n": -1})
        return bool(log.numbers and other.numbers)

    await until(have_heard)
    padding = "x" * 10_000

    async def is_disconnected() -> bool:
        await fast.publish_many(queue, [{"n": 0, "padding": padding}] * 200)
        clients = await fast.raw.client_list()
        return sum(int(client["sub"]) for client in clients) == 1

    await until(is_disconnected)
    go_on.set()
    await until(lambda: log.gaps)
    assert "too slow" in log.gaps[0].reason

    async def has_recovered() -> bool:
        await fast.publish(queue, {"n": 2})
        return 2 in log.numbers

    await until(has_recovered)
    assert len([n for n in other.numbers if n == 0]) % 200 == 0, "The reader beside it has lost nothing."


async def test_what_other_clients_publish_is_read_as_it_stands(
    pubsub: Make, queue: str, begun: Any, until: Any
) -> None:
    bus = await pubsub()
    received: list[Message] = []

    async def handle(message: Message) -> None:
        received.append(message)

    begun(bus.consume(queue, handle))

    async def publish() -> bool:
        for payload in (b"\xff\xfe", b"no JSON", b"[1]", b'{"plain": 1}', b'{"oneiric": 1, "body": {}}'):
            await bus.raw.publish(queue, payload)
        return len(received) >= 2

    await until(publish)
    assert [dict(message) for message in received[:2]] == [{"plain": 1}, {"oneiric": 1, "body": {}}]
    assert received[0].id != received[1].id


async def test_an_entry_that_is_no_message_is_put_aside(streams: Make, queue: str, begun: Any, until: Any) -> None:
    bus = await streams()
    log = Log()
    for body in (b"no JSON", b"[1]", b"\xff"):
        await bus.raw.xadd(f"oneiric:stream:{queue}", {"body": body})
    await bus.raw.xadd(f"oneiric:stream:{queue}", {"other": "field"})
    await bus.raw.xadd(f"oneiric:stream:{queue}", {"body": b'{"n": 1}'})
    begun(bus.consume(queue, log.handle))

    async def are_dead() -> bool:
        return len(await bus.dead_letters(queue)) == 4

    await until(are_dead)
    await until(lambda: log.numbers == [1])
    letters = await bus.dead_letters(queue)
    assert all(letter.error.startswith("InvalidMessage: ") for letter in letters)
    assert dict(letters[3].message) == {"other": "field"}


async def test_a_key_of_another_type_is_a_typed_error(streams: Make, queue: str) -> None:
    bus = await streams()
    await bus.raw.set(f"oneiric:stream:{queue}", "text")
    log = Log()
    for call in (bus.publish(queue, {"n": 1}), bus.consume(queue, log.handle)):
        with pytest.raises(MessagingError, match="WRONGTYPE") as raised:
            await call
        assert not raised.value.transient


async def test_a_stream_that_becomes_another_key_ends_its_consumer_with_an_error(
    streams: Make, queue: str, begun: Any, until: Any
) -> None:
    bus = await streams(watchdog=0.5)
    log = Log()
    consumer = begun(bus.consume(queue, log.handle))
    await bus.publish(queue, {"n": 1})
    await until(lambda: log.numbers)
    await bus.raw.set(f"oneiric:stream:{queue}", "text")
    await asyncio.wait({consumer}, timeout=10)
    assert isinstance(consumer.exception(), MessagingError)


async def test_a_server_that_is_full_is_a_transient_error_and_loses_nothing(
    own_server: Callable[..., ValkeyServer], streams: Make, queue: str, begun: Any, until: Any
) -> None:
    server = own_server()
    bus = await streams(url=server.url)
    log = Log()
    await bus.publish(queue, {"n": 1, "poison": True})
    await bus.publish(queue, {"n": 2})
    raw = bus.raw
    await raw.config_set("maxmemory", "1")
    with pytest.raises(MessagingError, match="OOM") as raised:
        await bus.publish(queue, {"n": 3})
    assert raised.value.transient

    async def handle(message: Message) -> None:
        await log.handle(message)
        if message.get("poison"):
            raise ValueError("poison")

    begun(bus.consume(queue, handle))
    await until(lambda: log.numbers.count(1) == 3 and 2 in log.numbers)
    await raw.config_set("maxmemory", "0")

    async def is_dead() -> bool:
        return [letter.message["n"] for letter in await bus.dead_letters(queue)] == [1]

    await until(is_dead)


async def test_a_server_that_takes_no_writes_is_a_transient_error(
    own_server: Callable[..., ValkeyServer], streams: Make, queue: str, begun: Any, until: Any
) -> None:
    server = own_server()
    bus = await streams(url=server.url)
    log = Log()
    begun(bus.consume(queue, log.handle))
    await bus.publish(queue, {"n": 1})
    await until(lambda: log.numbers)
    await bus.raw.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(ConnectionFailed, match="READONLY"):
        await bus.publish(queue, {"n": 2})
    await bus.raw.execute_command("REPLICAOF", "NO", "ONE")
    await bus.publish(queue, {"n": 3})
    await until(lambda: 3 in log.numbers)


@pytest.mark.parametrize("adapter", [RedisMessageAdapter, RedisStreamAdapter])
async def test_credentials_that_are_wrong_or_missing_are_told_without_them(
    own_server: Callable[..., ValkeyServer], adapter: type[Any]
) -> None:
    server = own_server()
    with SyncRedis(port=server.port) as client:
        client.config_set("requirepass", "the-right-one")
    where = f"127.0.0.1:{server.port}"
    wrong = ({"url": server.url}, {"url": f"redis://:hunter2@{where}"}, {"url": server.url, "password": "hunter2"})
    for settings in wrong:
        bus = adapter(settings)
        with pytest.raises(AuthenticationFailed) as raised:
            await bus.init()
        assert "hunter2" not in str(raised.value)
        await bus.cleanup()
    async with adapter({"url": server.url, "password": "the-right-one"}) as bus:
        assert await bus.health()
        assert await bus.publish("q", {})


@pytest.mark.parametrize("size", [16 * 1024 * 1024 + 1, 600_000_000] if FULL else [16 * 1024 * 1024 + 1])
async def test_a_message_that_is_too_large_is_refused_before_it_is_sent(pubsub: Make, queue: str, size: int) -> None:
    bus = await pubsub()
    with pytest.raises(ValueError, match="bytes as JSON"):
        await bus.publish(queue, {"a": "x" * size})
    assert await bus.publish(queue, {"a": 1})


@pytest.mark.timeout(int(SOAK) + 120)
async def test_a_soak_leaves_nothing_behind(url: str, queue: str, until: Any) -> None:
    """At full speed, with consumers that come and go: flat memory, no task and no connection more than before."""

    async def life(seconds: float) -> int:
        log = Log()
        async with (
            RedisStreamAdapter({"url": url, "retention": 1, "create_group": False}) as bus,
            RedisMessageAdapter({"url": url}) as other,
        ):
            consumers = [
                asyncio.ensure_future(bus.consume(queue, log.handle, concurrency=4)),
                asyncio.ensure_future(other.consume(queue, log.handle)),
            ]
            end = time.monotonic() + seconds
            published = 0
            while time.monotonic() < end:
                await asyncio.gather(*(bus.publish(queue, {"n": n}, key=f"k{n % 10}") for n in range(50)))
                await other.publish_many(queue, [{"n": n} for n in range(50)])
                published += 50
                await until(lambda least=published - 500: len(log.numbers) > least)
                if len(log.numbers) > 10_000:
                    published -= len(log.numbers)
                    log.numbers.clear()
            for consumer in consumers:
                consumer.cancel()
            await asyncio.wait(consumers)
        return published

    await life(SOAK / 8)
    gc.collect()
    before = Held.now()
    tracemalloc.start()
    try:
        await life(SOAK / 4)
        gc.collect()
        first, _ = tracemalloc.get_traced_memory()
        await life(SOAK / 2)
        gc.collect()
        second, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert await left_behind(before) == []
    assert second - first < 500_000
