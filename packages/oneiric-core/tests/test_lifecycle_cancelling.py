"""Whatever is asked of a manager, and cancelled at whatever await: no adapter, task or lock is left, and it works on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pluggy
import pytest
from oneiric import Adapter, AdapterManager, AdapterSettings, ConfigStore, Limits, State, hookimpl, hookspecs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric import Catalog

    Virtually = Callable[[Coroutine[Any, Any, None]], None]


class Settings(AdapterSettings):
    number: int = 1


class Slow(Adapter):
    """Takes its time, and more of it where it is cancelled."""

    settings_class = Settings
    settings: Settings
    open: list[Slow] = []

    async def init(self) -> None:
        self.open.append(self)
        await _slowly()

    async def health(self) -> bool:
        await _slowly()
        return True

    async def cleanup(self) -> None:
        await _slowly()
        self.open.remove(self)

    async def call(self, seconds: float) -> int:
        await asyncio.sleep(seconds)
        return self.settings.number


async def _slowly() -> None:
    try:
        await asyncio.sleep(0.1)
    finally:
        await asyncio.sleep(0.1)


class Observer:
    """Waits at each event."""

    @hookimpl
    async def oneiric_adapter_initializing(self) -> None:
        await _slowly()

    @hookimpl
    async def oneiric_adapter_initialized(self) -> None:
        await _slowly()

    @hookimpl
    async def oneiric_adapter_health_checked(self) -> None:
        await _slowly()

    @hookimpl
    async def oneiric_adapter_cleaning_up(self) -> None:
        await _slowly()

    @hookimpl
    async def oneiric_adapter_cleaned_up(self) -> None:
        await _slowly()

    @hookimpl
    async def oneiric_adapter_swapped(self) -> None:
        await _slowly()


@pytest.fixture
def make(catalog_of: Callable[..., Catalog]) -> Callable[[], AdapterManager]:
    hooks = pluggy.PluginManager(hookspecs.PROJECT)
    hooks.add_hookspecs(hookspecs)
    hooks.register(Observer())
    config = ConfigStore.load(overrides={name: {"adapter": "slow"} for name in "abc"}, environ={})
    catalog = catalog_of(hooks, slow=Slow)
    Slow.open = []
    return lambda: AdapterManager(config, catalog, limits=Limits(drain_timeout=2, health_interval=0.7))


async def _cancelled_after(steps: int, call: Coroutine[Any, Any, object]) -> bool:
    """Cancel the call when the loop has gone round so many times; whether it has ended before."""
    task = asyncio.ensure_future(call)
    for _ in range(steps):
        await asyncio.sleep(0)
        if not asyncio.get_running_loop()._ready:  # type: ignore[attr-defined]
            await asyncio.sleep(0.05)
    was_done = task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return was_done


CALLS: dict[str, Callable[[AdapterManager], Coroutine[Any, Any, object]]] = {
    "get": lambda adapters: adapters.get("c"),
    "health": lambda adapters: adapters.health("a"),
    "swap": lambda adapters: adapters.swap("a", {"number": 2}),
    "swap what is stopped": lambda adapters: adapters.swap("c", {"number": 2}),
    "cleanup one": lambda adapters: adapters.cleanup("a"),
    "cleanup": lambda adapters: adapters.cleanup(),
    "close": lambda adapters: adapters.close(),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_cancelled_at_any_await_leaves_nothing_behind(
    what: str, make: Callable[[], AdapterManager], virtually: Virtually
):
    came_off: list[bool] = []

    async def main(steps: int) -> None:
        adapters = make()
        async with adapters:
            a: Any = await adapters.get("a")
            await adapters.get("b")
            call = asyncio.create_task(a.call(0.5))
            came_off.append(await _cancelled_after(steps, CALLS[what](adapters)))
            instances = adapters._instances.values()
            assert not [each.name for each in instances if each.is_busy]
            if what == "close":
                assert {each.state for each in instances} == {State.STOPPED}
                assert not Slow.open
            elif what == "cleanup one":
                assert adapters.state("a") in (State.STOPPED, State.READY)
            await asyncio.wait({call})
            if what != "close":
                assert await (await adapters.get("a", Slow)).call(0) == (await adapters.get("a", Slow)).settings.number
        assert not Slow.open
        assert adapters._watching is None

    while not (came_off and came_off[-1]):
        virtually(main(len(came_off) + 1))  # without a step it has not begun
    assert len(came_off) > 5


def test_a_swap_that_is_cancelled_after_the_switch_is_not_forgotten(
    make: Callable[[], AdapterManager], virtually: Virtually
):
    came_off: list[bool] = []

    async def main(steps: int) -> None:
        async with make() as adapters:
            slow = await adapters.get("a", Slow)
            came_off.append(await _cancelled_after(steps, adapters.swap("a", {"number": 2})))
            number = slow.settings.number
            await adapters.cleanup("a")
            assert (await adapters.get("a", Slow)).settings.number == number

    while not (came_off and came_off[-1]):
        virtually(main(len(came_off)))


def test_a_close_that_is_cancelled_waits_for_no_more_calls(make: Callable[[], AdapterManager], virtually: Virtually):
    async def main() -> None:
        adapters = make()
        adapters.limits.drain_timeout = 3_600
        call = asyncio.create_task((await adapters.get("a", Slow)).call(100))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(adapters.close(), 1)
        assert adapters.state("a") is State.STOPPED
        assert asyncio.get_running_loop().time() < 10
        call.cancel()
        await asyncio.wait({call})

    virtually(main())
