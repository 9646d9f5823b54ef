"""A thousand lives of a manager under random tasks, faults and cancellations: no deadlock, no leak, every state legal."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

from oneiric import Adapter, AdapterManager, AdapterSettings, ConfigStore, ConnectionFailed, Limits, OneiricError, State
from oneiric.lifecycle import TRANSITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric import Catalog

    Virtually = Callable[[Coroutine[Any, Any, None]], None]

NAMES = ("a", "b", "c")
SCHEDULES = 1_000


class Settings(AdapterSettings):
    number: int = 0


class Chaotic(Adapter):
    """Does in each method what the dice say, and notes what it has open."""

    settings_class = Settings
    dice = random.Random()
    made: list[Chaotic] = []

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.is_open = False
        self.is_to_be_cleaned = False
        self.made.append(self)

    async def init(self) -> None:
        self.is_open = self.is_to_be_cleaned = True
        await self._chaos()

    async def health(self) -> bool:
        await self._chaos()
        return self.dice.random() < 0.7

    async def cleanup(self) -> None:
        self.is_to_be_cleaned = False
        await self._chaos(faults=0.2)
        self.is_open = False

    async def work(self) -> None:
        assert self.is_open, "a call reached an adapter that is not initialised"
        await self._chaos()

    async def _chaos(self, faults: float = 0.4) -> None:
        await asyncio.sleep(self.dice.choice((0, 0, 0.1, 3)))
        if self.dice.random() >= faults:
            return
        match self.dice.choice(("ours", "theirs", "hang", "stubborn", "timeout", "cancels")):
            case "ours":
                raise ConnectionFailed("The server is away.")
            case "theirs":
                raise OSError("away")
            case "timeout":
                raise TimeoutError
            case "cancels":
                raise asyncio.CancelledError
            case "hang":
                await asyncio.Event().wait()
            case "stubborn":
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(20)
                await asyncio.sleep(5)


async def _operate(adapters: AdapterManager, dice: random.Random) -> None:
    """One thing that an application does; whatever our errors say is fine."""
    name = dice.choice(NAMES)
    try:
        match dice.choice(("work", "work", "work", "health", "cleanup", "cleanup all", "swap", "config")):
            case "work":
                adapter = await adapters.get(name, Chaotic)
                async with asyncio.timeout(10):  # a call's own deadline is its adapter's business
                    await adapter.work()
            case "health":
                await adapters.health(name)
            case "cleanup":
                await adapters.cleanup(name)
            case "cleanup all":
                await adapters.cleanup()
            case "swap":
                await adapters.swap(name, {"number": dice.randrange(9)})
            case "config":
                adapters.config = _config()
    except (OneiricError, OSError, asyncio.CancelledError):
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise asyncio.CancelledError from None


def _config() -> ConfigStore:
    return ConfigStore.load(overrides={name: {"adapter": "chaotic"} for name in NAMES}, environ={})


async def _live(catalog: Catalog, dice: random.Random, seen: set[tuple[State, State]]) -> None:
    Chaotic.dice, Chaotic.made = dice, []
    states: dict[str, State] = dict.fromkeys(NAMES, State.STOPPED)

    def on_state(name: str, state: State) -> None:
        assert state in TRANSITIONS[states[name]]
        seen.add((states[name], state))
        states[name] = state

    limits = Limits(
        init_timeout=dice.choice((1, 30)),
        health_timeout=1,
        cleanup_timeout=1,
        drain_timeout=dice.choice((0.05, 5)),
        health_interval=dice.choice((None, 0.5)),
    )
    adapters = AdapterManager(_config(), catalog, limits=limits, on_state=on_state)

    async def work() -> None:
        for _ in range(dice.randrange(1, 6)):
            await _operate(adapters, dice)

    async with asyncio.timeout(3_600), adapters:
        tasks = [asyncio.create_task(work()) for _ in range(dice.randrange(1, 8))]
        for task in tasks:
            await asyncio.sleep(dice.choice((0, 0, 0.1, 1)))
            if dice.random() < 0.3:
                task.cancel()
        done, _ = await asyncio.wait(tasks)
    assert not [task.exception() for task in done if not task.cancelled() and task.exception()]
    assert {adapters.state(name) for name in NAMES} <= {State.STOPPED, State.FAILED}
    assert all(adapters.state(name) is state for name, state in states.items())
    assert not [name for name, instance in adapters._instances.items() if instance.is_busy or instance.has_adapters]
    assert not [adapter for adapter in Chaotic.made if adapter.is_to_be_cleaned]
    await asyncio.sleep(60)  # for what swallowed its cancellation


def test_no_schedule_leaks_deadlocks_or_leaves_the_table(virtually: Virtually, catalog_of: Callable[..., Catalog]):
    catalog = catalog_of(chaotic=Chaotic)
    seen: set[tuple[State, State]] = set()
    for seed in range(SCHEDULES):
        virtually(_live(catalog, random.Random(seed), seen))
    assert seen == {(state, to) for state, following in TRANSITIONS.items() for to in following}
