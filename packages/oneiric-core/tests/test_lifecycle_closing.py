"""Leaving a manager: what is asked of it meanwhile, entering it again, in the same event loop or the next."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import (
    Adapter,
    AdapterManager,
    AdapterSettings,
    ConfigStore,
    Health,
    Limits,
    OneiricError,
    ShuttingDown,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric import Catalog

    Virtually = Callable[[Coroutine[Any, Any, None]], None]


class Settings(AdapterSettings):
    number: int = 1
    exits_with: str = ""


class Plain(Adapter):
    settings_class = Settings
    settings: Settings
    log: list[str] = []
    answer: Any = True
    seconds = 0.1

    async def init(self) -> None:
        self.is_open = True
        self.log.append(f"init {self.name}")
        await asyncio.sleep(self.seconds)

    async def health(self) -> Any:
        await asyncio.sleep(0.1)
        return self.answer

    async def cleanup(self) -> None:
        await asyncio.sleep(0.1)
        self.is_open = False
        self.log.append(f"cleanup {self.name}")
        match self.settings.exits_with:
            case "KeyboardInterrupt":
                raise KeyboardInterrupt
            case "SystemExit":
                raise SystemExit(3)

    async def call(self) -> int:
        return self.settings.number


class Reluctant(Plain):
    async def health(self) -> Any:
        try:
            await asyncio.sleep(3)
        finally:
            await asyncio.sleep(0.5)
            self.log.append(f"health {self.name} ended")


class Slow(Plain):
    async def health(self) -> Any:
        await asyncio.sleep(0.5)
        return self.is_open


@pytest.fixture
def make(catalog_of: Callable[..., Catalog]) -> Callable[..., AdapterManager]:
    catalog = catalog_of(plain=Plain, slow=Slow, reluctant=Reluctant)
    Plain.log, Plain.answer = [], True

    def make(limits: Limits | None = None, **instances: Any) -> AdapterManager:
        config = ConfigStore.load(
            overrides={name: {"adapter": "plain", **values} for name, values in instances.items()}, environ={}
        )
        return AdapterManager(config, catalog, limits=limits)

    return make


def test_a_cleanup_ends_though_others_start_again_what_it_cleans_up(
    make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        is_over = asyncio.Event()
        async with make(a={}, b={}, c={}) as adapters:

            async def use(name: str) -> None:
                while not is_over.is_set():
                    with contextlib.suppress(OneiricError):
                        await (await adapters.get(name, Plain)).call()
                    await asyncio.sleep(0.01)

            async with asyncio.TaskGroup() as tasks:
                for name in "abc" * 3:
                    tasks.create_task(use(name))
                await asyncio.sleep(0.5)
                async with asyncio.timeout(100):
                    await adapters.cleanup()
                is_over.set()

    virtually(main())


@pytest.mark.parametrize("what", ["get", "swap"])
def test_who_waits_for_a_cleanup_when_the_manager_is_left_starts_nothing(
    what: str, make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        adapters = make(a={})
        await adapters.get("a")
        cleanup = asyncio.create_task(adapters.cleanup("a"))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(adapters.get("a") if what == "get" else adapters.swap("a", {}))
        await asyncio.sleep(0.01)
        await adapters.close()
        with pytest.raises(ShuttingDown):
            await waiting
        await cleanup
        assert Plain.log == ["init a", "cleanup a"]

    virtually(main())


def test_a_manager_that_is_entered_twice_checks_once(make: Callable[..., AdapterManager], virtually: Virtually):
    async def main() -> None:
        adapters = make(Limits(health_interval=1), a={})
        async with adapters, adapters:
            await adapters.get("a")
        await asyncio.sleep(5)  # and leaves no task, which `virtually` sees to

    virtually(main())


@pytest.mark.parametrize("way", ["KeyboardInterrupt", "SystemExit"])
def test_a_cleanup_that_ends_the_program_keeps_no_other_from_its_own(
    way: str, make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        adapters = make(a={}, b={"exits_with": way}, c={})
        for name in "abc":
            await adapters.get(name)
        with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
            await adapters.close()
        assert caught.type.__name__ == way
        assert Plain.log[3:] == ["cleanup c", "cleanup b", "cleanup a"]
        assert {adapters.state(name) for name in "abc"} == {State.STOPPED}

    virtually(main())


def test_a_health_check_is_waited_for_before_its_adapter_is_cleaned_up(
    make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make(a={"adapter": "slow"}) as adapters:
            await adapters.get("a")
            health = asyncio.create_task(adapters.health("a"))
            await asyncio.sleep(0.1)
            await adapters.cleanup("a")
            assert await health

    virtually(main())


@pytest.mark.parametrize(
    ("answer", "ok", "detail"),
    [
        (Health(ok=False, detail=OSError("away")), False, "away"),  # type: ignore[arg-type]
        (Health(ok=True, detail=None), True, ""),  # type: ignore[arg-type]
        (Health(ok=None), False, ""),  # type: ignore[arg-type]
        (None, False, ""),
    ],
)
def test_an_answer_of_a_wrong_type_ends_no_health_checks(
    answer: Any, ok: bool, detail: str, make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make(Limits(health_interval=1, unhealthy_after=1, healthy_after=1), a={}) as adapters:
            await adapters.get("a")
            Plain.answer = answer
            health = await adapters.health("a")
            assert (health.ok, health.detail) == (ok, detail)
            Plain.answer = False
            await asyncio.sleep(3)
            Plain.answer = True
            assert adapters.state("a") is State.UNHEALTHY
            await asyncio.sleep(3)
            assert adapters.state("a") is State.READY

    virtually(main())


def test_a_manager_may_be_used_in_one_event_loop_after_the_other(make: Callable[..., AdapterManager]):
    adapters = make(a={})

    async def main() -> None:
        async with adapters:
            got = await asyncio.gather(*(adapters.get("a") for _ in range(3)))  # who waits binds a lock to its loop
            assert len(set(map(id, got))) == 1

    asyncio.run(main())
    asyncio.run(main())
    assert Plain.log == ["init a", "cleanup a"] * 2


def test_what_an_ended_event_loop_left_locked_is_cleaned_up_in_the_next(make: Callable[..., AdapterManager]):
    adapters = make(a={})

    async def begin() -> None:
        await adapters.get("a")
        await adapters._instances["a"]._alone().acquire()  # as a task does that nobody ends

    asyncio.run(begin())
    asyncio.run(asyncio.wait_for(adapters.close(), 10))
    assert Plain.log == ["init a", "cleanup a"]


def test_a_manager_in_two_event_loops_at_once_says_so(make: Callable[..., AdapterManager]):
    adapters = make(a={})

    async def main() -> None:
        getting = asyncio.create_task(adapters.get("a"))
        await asyncio.sleep(0)
        for use in (adapters.get, adapters.cleanup):
            with pytest.raises(OneiricError, match=r"`a` is being started, .* in another event loop\. Make "):
                await asyncio.to_thread(asyncio.run, use("a"))
        await getting
        await adapters.close()

    asyncio.run(main())


@pytest.mark.parametrize("busy", ["init", "swap"])
def test_who_is_ready_is_cleaned_up_before_one_that_is_just_started_or_swapped(
    busy: str, make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        adapters = make(a={}, b={}, slow={"adapter": "plain"})
        for name in "ab" if busy == "init" else ("a", "slow", "b"):
            await adapters.get(name)
        Plain.log.clear()
        Plain.seconds = 5
        work = asyncio.create_task(adapters.get("slow") if busy == "init" else adapters.swap("slow", {}))
        await asyncio.sleep(0.01)
        Plain.seconds = 0.1
        await adapters.cleanup()
        await work
        assert Plain.log == (
            ["init slow", "cleanup b", "cleanup a", "cleanup slow"]
            if busy == "init"
            else ["init slow", "cleanup b", "cleanup slow", "cleanup slow", "cleanup a"]
        )

    virtually(main())


def test_a_health_check_in_the_background_is_over_before_the_cleanup_begins(
    make: Callable[..., AdapterManager], virtually: Virtually
):
    async def main() -> None:
        async with make(Limits(health_interval=1), a={"adapter": "reluctant"}) as adapters:
            await adapters.get("a")
            await asyncio.sleep(1.5)
        assert Plain.log == ["init a", "health a ended", "cleanup a"]

    virtually(main())


@pytest.mark.parametrize(
    "limits",
    [
        {"init_timeout": -1},
        {"drain_timeout": None},
        {"cleanup_timeout": "5"},
        {"health_timeout": float("nan")},
        {"health_interval": 0},
        {"init_attempts": 0},
        {"unhealthy_after": 0},
        {"healthy_after": True},
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any]):
    with pytest.raises(ValueError, match=rf"^{next(iter(limits))} is .*\. Make it "):
        Limits(**limits)
