"""AdapterManager: initialised once, cleaned up in reverse, and whatever one adapter does, the others live."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oneiric import (
    Adapter,
    AdapterManager,
    AdapterUnavailable,
    ConfigError,
    ConnectionFailed,
    DeadlineExceeded,
    InitFailed,
    NotInitialized,
    State,
    UnknownAdapter,
)
from scripted_life import CATALOG, LOG, RELEASED, Scripted, Settings, manager

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    LOG.clear()
    RELEASED.clear()
    Scripted.made = []
    Scripted.healing = False


async def test_an_adapter_is_initialised_at_its_first_use_and_has_its_instances_name():
    async with manager(orders={}, other={}) as adapters:
        assert LOG == []
        assert adapters.state("orders") is State.STOPPED
        orders = await adapters.get("orders")
        assert (orders.name, LOG, adapters.state("orders")) == ("orders", ["init orders"], State.READY)
        assert await adapters.get("orders", Scripted) is orders
    assert LOG == ["init orders", "cleanup orders"]
    assert adapters.state("orders") is State.STOPPED


async def test_a_hundred_tasks_get_one_adapter():
    async with manager(orders={}) as adapters:
        got = await asyncio.gather(*(adapters.get("orders") for _ in range(100)))
    assert len({id(adapter) for adapter in got}) == len(Scripted.made) == 1


async def test_a_hundred_tasks_share_one_failure():
    adapters = manager(orders={"init": "raises"})
    got = await asyncio.gather(*(adapters.get("orders") for _ in range(100)), return_exceptions=True)
    assert {type(error) for error in got} == {InitFailed}
    assert LOG == ["init orders", "cleanup orders"]


@pytest.mark.parametrize("method", ["init", "health", "cleanup"])
async def test_a_call_that_swallows_its_cancellation_is_left_behind_at_its_deadline(method: str, until: Until):
    adapters = manager(bad={method: "swallows"}, good={})
    limits = adapters.limits
    limits.init_timeout = limits.health_timeout = limits.cleanup_timeout = 0.05
    good = await adapters.get("good")
    if method == "init":
        with pytest.raises(DeadlineExceeded, match=r"`bad` was not initialised within 0.05 s"):
            await adapters.get("bad")
    else:
        await adapters.get("bad")
        assert bool(await adapters.health("bad")) is (method == "cleanup")
    await adapters.cleanup()
    assert good.name == "good"
    assert "cleanup good" in LOG
    assert (adapters.state("good"), adapters.state("bad") in {State.STOPPED, State.FAILED}) == (State.STOPPED, True)
    RELEASED.append(True)
    await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_instances_do_not_wait_for_each_other(until: Until):
    adapters = manager(slow={"init": "hangs"}, fast={})
    adapters.limits.init_timeout = 60
    slow = asyncio.create_task(adapters.get("slow"))
    await until(lambda: "init slow" in LOG)
    assert await adapters.get("fast")
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow


async def test_an_init_that_failed_is_tried_again_by_the_next_call():
    async with manager(orders={"init": "raises"}) as adapters:
        with pytest.raises(InitFailed):
            await adapters.get("orders")
        assert adapters.state("orders") is State.FAILED
        Scripted.healing = True
        assert isinstance(adapters.error("orders"), InitFailed)
        assert await adapters.get("orders")
        assert (adapters.state("orders"), adapters.error("orders")) == (State.READY, None)
    assert len(Scripted.made) == 2


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("raises", InitFailed, "The init of `orders` raised OSError."),
        ("ours", ConnectionFailed, "orders: The server is away."),
        ("hangs", DeadlineExceeded, "`orders` was not initialised within 0.05 s."),
        ("times out", InitFailed, "The init of `orders` raised TimeoutError."),
        ("cancels", InitFailed, "The init of `orders` raised CancelledError."),
        ("constructor", InitFailed, "Making the Scripted of `orders` raised TypeError."),
    ],
)
async def test_what_an_init_does_becomes_an_error_of_ours(what: str, kind: type[Exception], said: str):
    adapters = manager(orders={"init": what, "password": "hunter2"})
    with pytest.raises(kind) as caught:
        await adapters.get("orders")
    assert type(caught.value) is kind
    assert str(caught.value) == said
    assert adapters.state("orders") is State.FAILED
    assert ([] if what == "constructor" else ["init orders", "cleanup orders"]) == LOG
    assert what in ("ours", "hangs") or caught.value.__cause__ is not None
    assert "hunter2" not in repr(caught.value.__cause__)
    await adapters.cleanup()


@pytest.mark.parametrize("cleanup", ["works", "raises", "hangs", "cancels"])
async def test_a_cancelled_get_leaves_nothing_behind(until: Until, cleanup: str):
    adapters = manager(orders={"init": "hangs", "cleanup": cleanup})
    adapters.limits.init_timeout = 60
    task = asyncio.create_task(adapters.get("orders"))
    await until(lambda: LOG == ["init orders"])
    assert adapters.state("orders") is State.INITIALIZING
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["init orders", "cleanup orders"]
    assert adapters.state("orders") is State.STOPPED
    Scripted.healing = True
    assert await adapters.get("orders")


async def test_those_who_wait_go_on_where_the_one_who_initialised_is_cancelled(until: Until):
    async with manager(orders={"init": "hangs"}) as adapters:
        adapters.limits.init_timeout = 60
        first = asyncio.create_task(adapters.get("orders"))
        await until(lambda: LOG == ["init orders"])
        second = asyncio.create_task(adapters.get("orders"))
        Scripted.healing = True
        first.cancel()
        assert (await second).name == "orders"
        assert first.cancelled()


async def test_ctrl_c_in_an_init_goes_through_and_is_cleaned_up():
    adapters = manager(orders={"init": "interrupts"})
    with pytest.raises(KeyboardInterrupt):
        await adapters.get("orders")
    assert LOG == ["init orders", "cleanup orders"]
    assert adapters.state("orders") is State.STOPPED


async def test_cleanup_is_in_the_reverse_order_of_init():
    async with manager(a={}, b={}, c={}) as adapters:
        for name in ("b", "a", "c"):
            await adapters.get(name)
        LOG.clear()
    assert LOG == ["cleanup c", "cleanup a", "cleanup b"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("raises", "The cleanup of bad raised OSError."),
        ("hangs", "The cleanup of bad did not end within 0.05 s."),
        ("times out", "The cleanup of bad raised TimeoutError."),
        ("cancels", "The cleanup of bad raised CancelledError."),
    ],
)
async def test_a_cleanup_that_fails_stops_no_other(what: str, said: str, caplog: pytest.LogCaptureFixture):
    async with manager(first={}, bad={"cleanup": what}, last={}) as adapters:
        for name in ("first", "bad", "last"):
            await adapters.get(name)
        LOG.clear()
    assert LOG == ["cleanup last", "cleanup bad", "cleanup first"]
    assert caplog.messages == [said]
    assert {adapters.state(name) for name in ("first", "bad", "last")} == {State.STOPPED}


async def test_a_second_cleanup_does_nothing_and_a_stopped_instance_starts_again():
    adapters = manager(orders={})
    await adapters.get("orders")
    await adapters.cleanup()
    await adapters.cleanup()
    assert LOG == ["init orders", "cleanup orders"]
    assert await adapters.get("orders")
    await adapters.cleanup()
    assert LOG == ["init orders", "cleanup orders"] * 2


async def test_two_cleanups_at_once_clean_each_adapter_up_once():
    adapters = manager(a={}, b={})
    await asyncio.gather(adapters.get("a"), adapters.get("b"))
    await asyncio.gather(adapters.cleanup(), adapters.cleanup())
    assert sorted(LOG[2:]) == ["cleanup a", "cleanup b"]


async def test_cleanup_waits_for_an_init_in_another_task(until: Until):
    adapters = manager(orders={"init": "hangs"})
    task = asyncio.create_task(adapters.get("orders"))
    await until(lambda: LOG == ["init orders"])
    await adapters.cleanup()
    assert LOG == ["init orders", "cleanup orders"]
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], DeadlineExceeded)


async def test_a_cancelled_cleanup_finishes_what_it_has_begun(until: Until):
    adapters = manager(first={}, slow={"cleanup": "hangs"})
    for name in ("first", "slow"):
        await adapters.get(name)
    task = asyncio.create_task(adapters.cleanup())
    await until(lambda: "cleanup slow" in LOG)
    assert (adapters.state("slow"), adapters.state("first")) == (State.CLEANING_UP, State.CLEANING_UP)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG[-2:] == ["cleanup slow", "cleanup first"]
    assert {adapters.state(name) for name in ("first", "slow")} == {State.STOPPED}


async def test_a_manager_that_was_left_gives_nothing_that_nobody_would_close():
    adapters = manager(orders={})
    async with adapters:
        await adapters.get("orders")
    with pytest.raises(NotInitialized, match="after its AdapterManager was left"):
        await adapters.get("orders")
    async with adapters:
        assert await adapters.get("orders")


@pytest.mark.parametrize(
    ("what", "ok", "detail"),
    [
        ("works", True, ""),
        ("no", False, ""),
        ("health", False, "The disk is full."),
        ("raises", False, "Its health check raised OSError."),
        ("ours", False, "Its health check raised ConnectionFailed."),
        ("hangs", False, "It did not answer within 0.05 s."),
        ("times out", False, "Its health check raised TimeoutError."),
        ("cancels", False, "Its health check raised CancelledError."),
        ("array", False, "Its health check raised ValueError."),
    ],
)
async def test_health_never_raises_and_never_hangs(what: str, ok: bool, detail: str):
    async with manager(orders={"health": what}) as adapters:
        await adapters.get("orders")
        health = await adapters.health("orders")
    assert (health.ok, health.detail) == (ok, detail)
    assert what not in ("works", "health") or health.latency_ms


async def test_an_adapters_own_latency_is_kept():
    async with manager(orders={"health": "health"}) as adapters:
        await adapters.get("orders")
        assert (await adapters.health("orders")).latency_ms == 1.5


async def test_what_is_not_initialised_is_not_healthy():
    adapters = manager(orders={}, bad={"init": "raises"})
    assert (await adapters.health("orders")).detail == "It is stopped."
    with pytest.raises(InitFailed):
        await adapters.get("bad")
    assert (await adapters.health("bad")).detail == "It is failed."


async def test_a_cancelled_health_check_is_cancelled():
    async with manager(orders={"health": "hangs"}) as adapters:
        await adapters.get("orders")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(adapters.health("orders"), 0.001)


async def test_an_unknown_instance_is_unknown_to_every_method():
    adapters = manager(orders={})
    with pytest.raises(UnknownAdapter, match="`orders`"):
        await adapters.get("order")
    with pytest.raises(UnknownAdapter, match="`orders`"):
        await adapters.health("order")
    with pytest.raises(UnknownAdapter, match="`orders`"):
        adapters.state("order")
    with pytest.raises(UnknownAdapter, match="`orders`"):
        adapters.error("order")
    with pytest.raises(UnknownAdapter, match="`orders`"):
        await adapters.cleanup("order")
    with pytest.raises(UnknownAdapter, match="`orders`"):
        await adapters.swap("order", {})
    assert not adapters._instances


async def test_an_instance_of_an_unknown_or_unavailable_adapter_is_told():
    with pytest.raises(UnknownAdapter, match="`scripted`"):
        await manager(orders={"adapter": "script"}).get("orders")
    adapters = manager(orders={"adapter": "gone"})
    with pytest.raises(AdapterUnavailable, match="no_such_module"):
        await adapters.get("orders")
    assert adapters.state("orders") is State.FAILED


async def test_a_wrong_config_is_told_with_every_problem_and_no_value():
    with pytest.raises(ConfigError) as caught:
        await manager(orders={"pasword": "hunter2", "init": 5}).get("orders")
    assert len(caught.value.problems) == 2
    assert caught.value.adapter == "orders"
    assert "hunter2" not in str(caught.value)


async def test_an_adapter_of_another_contract_is_refused_and_stays():
    class Other(Adapter): ...

    async with manager(orders={}) as adapters:
        with pytest.raises(ConfigError, match=r"The instance `orders` is a Scripted, not a Other\."):
            await adapters.get("orders", Other)
        assert await adapters.get("orders", Scripted)


@pytest.fixture
def _mine() -> None:
    Path("mine.yaml").write_text("adapters: {orders: {adapter: scripted, init: raises}}", encoding="utf-8")


@pytest.mark.usefixtures("_mine")
async def test_from_config_reads_every_layer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONEIRIC_ADAPTERS__ORDERS__HEALTH", "no")
    adapters = AdapterManager.from_config("mine.yaml", overrides={"orders": {"init": "works"}})
    adapters.catalog = CATALOG
    async with adapters:
        assert (await adapters.get("orders", Scripted)).settings == Settings(health="no")
