"""Swapping an instance's adapter under those who use it: no call is lost, whether the swap comes off or not."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import (
    Adapter,
    AdapterManager,
    AdapterSettings,
    ConfigError,
    ConfigStore,
    ConnectionFailed,
    Health,
    InitFailed,
    Limits,
    ShuttingDown,
    State,
    Unhealthy,
    UnknownAdapter,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from oneiric import Catalog

    Virtually = Callable[[Coroutine[Any, Any, None]], None]


class Settings(AdapterSettings):
    number: int = 0
    fails_at: str = ""


class Store(Adapter):
    """Answers with its number, and is loud where it is used before its init or after its cleanup."""

    settings_class = Settings
    settings: Settings
    open: list[Store] = []

    async def init(self) -> None:
        await asyncio.sleep(0.1)
        self.open.append(self)
        if self.settings.fails_at == "init":
            raise OSError("away")

    async def health(self) -> Health:
        await asyncio.sleep(0.1)
        return Health(ok=self.settings.fails_at != "health", detail="The disk is full.")

    async def cleanup(self) -> None:
        await asyncio.sleep(0.1)
        if self in self.open:
            self.open.remove(self)
        if self.settings.fails_at == "cleanup":
            raise OSError("away")

    async def read(self, seconds: float = 0.01) -> int:
        for _ in range(3):
            assert self in self.open, "lost"
            await asyncio.sleep(seconds / 3)
        assert self in self.open, "lost"
        return self.settings.number

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Store]:
        assert self in self.open, "lost"
        yield self
        assert self in self.open, "lost"

    async def stream(self, count: int) -> AsyncIterator[int]:
        for _ in range(count):
            yield await self.read()


class Queue(Store):
    type_of_adapter = "queue"


class OtherStore(Store):
    """Of another class, with a method more."""

    async def further(self) -> str:
        return f"further {self.settings.number}"


@pytest.fixture(autouse=True)
def _nothing_stays_open():
    Store.open = []
    yield
    assert not Store.open


@pytest.fixture
def make(catalog_of: Callable[..., Catalog]) -> Callable[..., AdapterManager]:
    catalog = catalog_of(store=Store, queue=Queue, other=OtherStore)

    def make(**values: Any) -> AdapterManager:
        config = ConfigStore.load(overrides={"a": {"adapter": "store", "number": 1, **values}}, environ={})
        return AdapterManager(config, catalog, limits=Limits(drain_timeout=1))

    return make


async def _call(adapters: AdapterManager, kept: Any, number: int, done: list[int], is_over: asyncio.Event) -> None:
    """Call without a pause, each task in its way."""
    while not is_over.is_set():
        store: Any = kept if number % 2 else await adapters.get("a", Store)
        match number % 4:
            case 0 | 1:
                done.append(await store.read())
            case 2:
                async with store.transaction() as transaction:
                    done.append(await transaction.read())
            case 3:
                done.extend([value async for value in store.stream(3)])


@pytest.mark.parametrize(
    ("new", "error"),
    [
        ({"number": 2}, None),
        ({"number": 2, "adapter": "other"}, None),
        ({"number": 2, "fails_at": "cleanup"}, None),
        ({"number": 2, "fails_at": "health"}, Unhealthy),
        ({"number": 2, "fails_at": "init"}, InitFailed),
        ({"number": "x"}, ConfigError),
        ({"numbr": 2}, ConfigError),
        ({"adapter": "queue"}, ConfigError),
        ({"adapter": "nobodys"}, UnknownAdapter),
    ],
)
def test_64_tasks_that_call_without_pause_lose_no_call(
    new: dict[str, Any], error: type[Exception] | None, make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            kept, done, is_over = await adapters.get("a"), list[int](), asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                for number in range(64):
                    tasks.create_task(_call(adapters, kept, number, done, is_over))
                await asyncio.sleep(0.5)
                assert set(done) == {1}
                if error is None:
                    await adapters.swap("a", new)
                else:
                    with pytest.raises(error):
                        await adapters.swap("a", new)
                before = len(done)
                await asyncio.sleep(0.5)
                is_over.set()
            assert len(done) > before + 64
            assert set(done[before:]) == ({2} if error is None else {1})
            assert adapters.state("a") is State.READY
            assert len(Store.open) == 1

    virtually(main())


def test_a_handle_that_is_kept_has_the_methods_of_the_new_class(
    make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            store: Any = await adapters.get("a")
            assert not isinstance(store, OtherStore)
            await adapters.swap("a", {"adapter": "other", "number": 5})
            assert isinstance(store, OtherStore)
            assert await store.further() == "further 5"
            assert store.settings.number == 5

    virtually(main())


def test_a_swap_waits_for_the_calls_under_way_but_not_for_ever(
    make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            store = await adapters.get("a", Store)
            soon, endless = (asyncio.create_task(store.read(seconds)) for seconds in (0.9, 1_000))
            await asyncio.sleep(0)
            await adapters.swap("a", {"number": 2})
            assert await soon == 1
            with pytest.raises(AssertionError, match="lost"):
                await endless
            assert await store.read() == 2

    virtually(main())


def test_what_is_not_running_is_started_with_the_new_config(make: Callable[..., AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make(fails_at="init") as adapters:
            with pytest.raises(InitFailed):
                await adapters.get("a")
            await adapters.swap("a", {"number": 2})
            assert (await adapters.get("a", Store)).settings.number == 2
            await adapters.cleanup("a")
            assert (await adapters.get("a", Store)).settings.number == 2  # the swap outlives a cleanup
            adapters.config = adapters.config
            await adapters.cleanup("a")
            with pytest.raises(InitFailed):  # and not a config that is read anew
                await adapters.get("a")
        for closed in (adapters, make()):
            await closed.close()
            with pytest.raises(ShuttingDown):
                await closed.swap("a", {})

    virtually(main())


def test_a_config_that_is_read_anew_during_a_swap_is_what_the_next_start_takes(
    make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            await adapters.get("a")
            swap = asyncio.create_task(adapters.swap("a", {"number": 2}))
            await asyncio.sleep(0.05)
            overrides = {"a": {"adapter": "store", "number": 3}}
            adapters.config = ConfigStore.load(overrides=overrides, environ={})
            await swap
            assert (await adapters.get("a", Store)).settings.number == 2
            await adapters.cleanup("a")
            assert (await adapters.get("a", Store)).settings.number == 3

    virtually(main())


def test_what_a_swap_is_prepared_by_runs_while_the_old_one_serves_and_right_before_the_switch(
    make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            gate, seen = asyncio.Event(), list[int]()
            gate.set()

            async def writer() -> None:
                while len(seen) < 100:
                    await gate.wait()
                    seen.append(await store.read())

            async def prepare(new: Any) -> None:
                assert isinstance(new, OtherStore)
                assert await store.read() == 1
                await asyncio.sleep(0.1)
                gate.clear()
                await asyncio.sleep(0.1)  # calls under way end
                before.append(len(seen))
                gate.set()

            before = list[int]()
            await adapters.cleanup("a")  # it is started, to be copied from
            store, writing = await adapters.get("a", Store), asyncio.create_task(writer())
            await adapters.swap("a", {"adapter": "other", "number": 2}, prepare=prepare)
            await writing
            assert 0 < before[0] < 100
            assert seen == [1] * before[0] + [2] * (100 - before[0])

    virtually(main())


def test_a_swap_whose_preparation_fails_has_not_happened(make: Callable[..., AdapterManager], virtually: Virtually):
    async def fail(_: Any) -> None:
        raise OSError("The copy failed.")

    async def main() -> None:
        async with make() as adapters:
            with pytest.raises(OSError, match="The copy failed"):
                await adapters.swap("a", {"number": 2}, prepare=fail)
            assert (await adapters.get("a", Store)).settings.number == 1
            assert len(Store.open) == 1
            await adapters.cleanup("a")
            assert (await adapters.get("a", Store)).settings.number == 1

    virtually(main())


def test_a_preparation_ends_where_the_manager_is_left(make: Callable[..., AdapterManager], virtually: Virtually):
    ended = []

    async def endless(_: Any) -> None:
        try:
            await asyncio.sleep(10**9)
        finally:
            ended.append(True)

    async def main() -> None:
        async with make() as adapters:
            swap = asyncio.create_task(adapters.swap("a", {"number": 2}, prepare=endless))
            await asyncio.sleep(1)
        with pytest.raises(ShuttingDown):
            await swap
        assert ended
        assert adapters.state("a") is State.STOPPED

    virtually(main())


def test_a_failed_swap_is_forgotten(make: Callable[..., AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make() as adapters:
            await adapters.get("a")
            with pytest.raises(Unhealthy, match=r"`a` was not swapped: .* The disk is full\."):
                await adapters.swap("a", {"number": 2, "fails_at": "health"})
            await adapters.cleanup("a")
            assert (await adapters.get("a", Store)).settings.number == 1

    virtually(main())


def test_two_swaps_at_once_come_one_after_the_other(make: Callable[..., AdapterManager], virtually: Virtually):
    async def main() -> None:
        async with make() as adapters:
            await adapters.get("a")
            await asyncio.gather(*(adapters.swap("a", {"number": number}) for number in (2, 3, 4)))
            assert (await adapters.get("a", Store)).settings.number == 4
            assert len(Store.open) == 1

    virtually(main())


@pytest.mark.parametrize("fails_at", ["", "health", "cleanup"])
def test_a_swap_cancelled_at_any_await_leaves_one_adapter_that_works(
    fails_at: str, make: Callable[..., AdapterManager], virtually: Virtually
):
    came_off = []

    async def main(steps: int) -> None:
        async with make() as adapters:
            store = await adapters.get("a", Store)
            call = asyncio.create_task(store.read(0.9))
            swap = asyncio.create_task(adapters.swap("a", {"number": 2, "fails_at": fails_at}))
            for _ in range(steps):
                await asyncio.sleep(0)
                if not asyncio.get_running_loop()._ready:  # type: ignore[attr-defined]
                    await asyncio.sleep(0.05)
            came_off.append(swap.done())
            swap.cancel()
            with contextlib.suppress(asyncio.CancelledError, Unhealthy):
                await swap
            assert await call == 1
            assert await store.read() in (1, 2)
            assert len(Store.open) == 1
            assert adapters.state("a") is State.READY
            assert not adapters._instances["a"].is_busy

    steps = 0
    while not (came_off and came_off[-1]):
        virtually(main(steps))
        steps += 1
    assert steps > 10


def test_a_transaction_begun_after_a_swap_is_on_the_new_adapter(
    make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make() as adapters:
            store = await adapters.get("a", Store)
            transaction, stream = store.transaction(), store.stream(2)
            await adapters.swap("a", {"number": 2})
            async with transaction as handle:
                assert await handle.read() == 2
            assert [value async for value in stream] == [2, 2]

    virtually(main())


def test_observers_are_told_of_a_swap(catalog_of: Callable[..., Catalog], virtually: Virtually):
    import pluggy
    from oneiric import hookimpl, hookspecs

    class Recorder:
        seen: list[tuple[str, str, str]] = []

        @hookimpl
        async def oneiric_adapter_swapped(self, instance: str, spec: Any, previous: Any) -> None:
            self.seen.append((instance, spec.name, previous.name))
            raise ConnectionFailed("This goes no further.")

    hooks = pluggy.PluginManager("oneiric")
    hooks.add_hookspecs(hookspecs)
    hooks.register(Recorder())
    config = ConfigStore.load(overrides={"a": {"adapter": "store"}}, environ={})

    async def main() -> None:
        async with AdapterManager(config, catalog_of(hooks, store=Store, other=OtherStore)) as adapters:
            await adapters.get("a")
            await adapters.swap("a", {"adapter": "other"})
            with contextlib.suppress(Unhealthy):
                await adapters.swap("a", {"fails_at": "health"})

    virtually(main())
    assert Recorder.seen == [("a", "other", "store")]
