"""Whatever a method gives, and whenever it is used: it is on an adapter that serves, and counted as long as it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterManager, ConfigStore, Limits
from spanning_store import Cursor, Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from oneiric import Catalog

    Virtually = Callable[[Coroutine[Any, Any, None]], None]
    Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def make(catalog_of: Callable[..., Catalog]) -> Callable[[], AdapterManager]:
    config = ConfigStore.load(overrides={"store": {}}, environ={})
    return lambda: AdapterManager(config, catalog_of(store=Store), limits=Limits(drain_timeout=5))


def calls(adapters: AdapterManager) -> int:
    service = adapters._instances["store"].service
    assert service is not None
    return service.calls


@pytest.mark.parametrize("way", ["read", "decorated", "partial", "dynamic", "of_the_instance", "request", "cursor"])
def test_what_is_made_before_a_swap_and_awaited_after_it_is_on_the_new_adapter(
    way: str, make: Callable[[], AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            made = getattr(await adapters.get("store"), way)()
            await adapters.swap("store", {"number": 2})
            assert await made == 2

    virtually(main())


@pytest.mark.parametrize(
    "way", ["read", "decorated", "partial", "dynamic", "of_the_instance", "request", "cursor", "task"]
)
def test_what_is_awaited_is_counted_to_its_end(way: str, make: Callable[[], AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make() as adapters:
            store: Any = await adapters.get("store")

            async def use() -> int:
                return int(await getattr(store, way)())

            task = asyncio.create_task(use())
            await asyncio.sleep(0.1)
            assert calls(adapters) == 1
            await adapters.swap("store", {"number": 2})
            assert await task == 1
            assert calls(adapters) == 0

    virtually(main())


async def _entered(store: Any, way: str) -> object:
    entered = getattr(store, way)()
    if way == "lock":
        with entered:
            await asyncio.sleep(0.5)
    else:
        async with entered:
            await asyncio.sleep(0.5)
    return entered  # so that it is its end that counts, and not that nobody has it any more


async def _iterated(store: Any, way: str) -> None:
    assert [number async for number in getattr(store, way)()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("use", "way"),
    [
        (_entered, "transaction"),
        (_entered, "request"),
        (_entered, "lock"),
        (_entered, "limiter"),
        (_iterated, "stream"),
        (_iterated, "cursor"),
    ],
)
def test_what_is_entered_or_iterated_is_counted_to_its_end(
    use: Any, way: str, make: Callable[[], AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            task = asyncio.create_task(use(await adapters.get("store"), way))
            await asyncio.sleep(0.1)
            old = adapters._instances["store"].service
            assert old is not None
            assert old.calls >= 1
            await adapters.swap("store", {"number": 2})
            await task
            assert old.calls == 0

    virtually(main())


async def test_what_is_raised_in_a_block_is_its_context_managers_to_pass_on_or_not(
    make: Callable[[], AdapterManager],
):
    async with make() as adapters:
        store = await adapters.get("store", Store)
        for swallows in (True, False):
            with contextlib.nullcontext() if swallows else pytest.raises(KeyError):
                async with store.swallowing(swallows):
                    raise KeyError
            with contextlib.nullcontext() if swallows else pytest.raises(KeyError), store.swallowing_sync(swallows):
                raise KeyError
            assert calls(adapters) == 0


def test_an_iterator_that_is_at_its_end_stays_there(make: Callable[[], AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make() as adapters:
            stream = (await adapters.get("store", Store)).stream()
            assert [number async for number in stream] == [1, 1, 1]
            await adapters.swap("store", {"number": 2})
            assert [number async for number in stream] == []
            assert calls(adapters) == 0

    virtually(main())


def test_a_stream_that_has_begun_stays_on_its_adapter(make: Callable[[], AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make() as adapters:
            stream = (await adapters.get("store", Store)).stream()
            first = await anext(stream)
            swap = asyncio.create_task(adapters.swap("store", {"number": 2}))
            assert [first, *[number async for number in stream]] == [1, 1, 1]
            await swap

    virtually(main())


def test_generators_are_counted_however_they_are_driven(make: Callable[[], AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make() as adapters:
            store: Any = await adapters.get("store")
            stream = store.stream()
            assert await stream.asend(None) == 1
            assert calls(adapters) == 1
            with pytest.raises(KeyError):
                await stream.athrow(KeyError("mine"))
            assert calls(adapters) == 0

    virtually(main())


def test_of_two_tasks_at_one_iterator_the_error_of_one_ends_the_call_of_none(
    make: Callable[[], AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            stream = (await adapters.get("store", Store)).stream()
            first, second = (asyncio.create_task(anext(stream)) for _ in range(2))  # type: ignore[arg-type]
            with pytest.raises(RuntimeError, match="already running"):
                await second
            assert calls(adapters) == 1
            await adapters.swap("store", {"number": 2})
            assert await first == 1

    virtually(main())


def test_an_iterator_that_fails_and_is_tried_again_is_waited_for(
    make: Callable[[], AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            subscription = (await adapters.get("store", Store)).subscribe()
            subscription._spanned.wait = 0.1

            async def stubbornly() -> int:
                await anext(subscription)
                subscription._spanned.wait = "none"
                with pytest.raises(TypeError):
                    await anext(subscription)
                subscription._spanned.wait = 0.5
                return await anext(subscription)

            task = asyncio.create_task(stubbornly())
            await asyncio.sleep(0.05)
            await adapters.cleanup("store")
            assert await task == 1

    virtually(main())


def test_a_subscription_goes_on_after_a_wait_that_timed_out(make: Callable[[], AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make() as adapters:
            store: Any = await adapters.get("store")
            subscription = store.subscribe()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(subscription), 1)
            assert calls(adapters) == 1
            subscription._spanned.wait = 0
            assert await anext(subscription) == 1
            del subscription
            gc.collect()
            assert calls(adapters) == 0

    virtually(main())


def test_a_generator_that_is_cancelled_and_a_transaction_that_does_not_begin_are_no_calls_any_more(
    make: Callable[[], AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            store = await adapters.get("store", Store)
            stream, transaction = store.stream(), store.transaction(fails=True)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.1)
            assert calls(adapters) == 0
            with pytest.raises(KeyError):
                await transaction.__aenter__()
            assert calls(adapters) == 0
            assert stream is not transaction  # both are still there

    virtually(main())


def test_many_tasks_in_one_context_manager_are_each_counted(make: Callable[[], AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make() as adapters:
            limiter = (await adapters.get("store", Store)).limiter()

            async def hold(seconds: float) -> int:
                async with limiter as number:
                    await asyncio.sleep(seconds)
                    return number

            tasks = [asyncio.create_task(hold(seconds)) for seconds in (0.1, 2)]
            await asyncio.sleep(0.5)
            assert calls(adapters) == 1
            await adapters.swap("store", {"number": 2})
            assert await asyncio.gather(*tasks) == [1, 1]
            assert await hold(0) == 2
            assert calls(adapters) == 0

    virtually(main())


async def test_a_span_looks_like_what_it_spans(make: Callable[[], AdapterManager]):
    async with make() as adapters:
        cursor = (await adapters.get("store", Store)).cursor()
        assert isinstance(cursor, Cursor)
        assert len(cursor) == 3
        assert type(cursor.store) is Store
        with pytest.raises(TypeError, match="can't be copied"):
            copy.copy(cursor)


async def test_a_method_that_gives_its_adapter_gives_the_handle(make: Callable[[], AdapterManager]):
    async with make() as adapters:
        store = await adapters.get("store", Store)
        assert store.itself() is store
        assert await store.itself_later() is store


async def test_a_call_in_another_thread_is_waited_for(make: Callable[[], AdapterManager], until: Until):
    async with make() as adapters:
        asyncio.get_running_loop().set_debug(True)  # which raises where another thread touches what is the loop's
        store = await adapters.get("store", Store)
        is_in, go_on = threading.Event(), threading.Event()
        call = asyncio.create_task(asyncio.to_thread(store.in_a_thread, is_in, go_on))
        await until(is_in.is_set)
        swap = asyncio.create_task(adapters.swap("store", {"number": 2}))
        await until(lambda: store.settings.number == 2)
        go_on.set()
        async with asyncio.timeout(3):  # less than what the swap would wait for a call that it doesn't see end
            assert await call == 1
            await swap


def test_a_drain_in_vain_is_told_once(
    make: Callable[[], AdapterManager], virtually: Virtually, caplog: pytest.LogCaptureFixture
):
    async def main() -> None:
        async with make() as adapters:
            store = await adapters.get("store", Store)
            for end in (lambda: adapters.swap("store", {"number": 2}), adapters.cleanup):
                call = asyncio.create_task(store.read(100))
                await asyncio.sleep(0)
                await end()
                call.cancel()
                await asyncio.wait({call})

    virtually(main())
    assert caplog.messages == ["store: 1 calls did not end within 5 s."] * 2


WAYS = (
    "read",
    "decorated",
    "partial",
    "dynamic",
    "task",
    "request",
    "cursor",
    "stream",
    "subscribe",
    "transaction",
    "lock",
)


async def _call_at_random(store: Any, dice: random.Random) -> None:
    way, pause = dice.choice(WAYS), dice.choice((0, 0, 0.2, 0.9))
    made = getattr(store, way)()
    await asyncio.sleep(0 if way == "task" else pause)
    if way == "lock":
        with made:
            await asyncio.sleep(pause)
    elif hasattr(type(made), "__aexit__") and way not in ("stream", "subscribe") and dice.random() < 0.7:
        async with made:
            await asyncio.sleep(pause)
    elif way in ("stream", "cursor"):
        async for _ in made:
            await asyncio.sleep(pause)
            if dice.random() < 0.2:
                break
    elif way == "subscribe":
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(anext(made), pause)
    elif way != "transaction":
        await made


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # where it is cancelled before
def test_of_random_calls_none_is_lost_to_random_swaps(make: Callable[[], AdapterManager], virtually: Virtually):
    async def main(dice: random.Random) -> None:
        adapters = make()
        adapters.limits.drain_timeout = 1_000
        async with adapters:
            store = await adapters.get("store")

            async def work() -> None:
                for _ in range(dice.randrange(1, 6)):
                    await _call_at_random(store, dice)

            tasks = [asyncio.create_task(work()) for _ in range(dice.randrange(1, 9))]
            for _ in range(dice.randrange(1, 5)):
                await asyncio.sleep(dice.choice((0, 0.1, 0.7)))
                if dice.random() < 0.3:
                    dice.choice(tasks).cancel()
                swap = asyncio.create_task(adapters.swap("store", {}))
                await asyncio.wait({swap}, timeout=dice.choice((0, 0.3, 2_000)))
                swap.cancel()
                await asyncio.wait({swap})
            done, _ = await asyncio.wait(tasks)
            assert not [task.exception() for task in done if not task.cancelled() and task.exception()]

    for seed in range(300):
        virtually(main(random.Random(seed)))
    gc.collect()
