"""An adapter's life: init, use, cleanup, in every order, and with a backend that isn't there."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.base import Health
from oneiric.errors import NotInitialized, OneiricError
from oneiric.lifecycle.deadline import DeadlinePassed, within
from oneiric.testing.calls import call, methods_of
from oneiric.testing.guard import skip
from oneiric.testing.held import Held, left_behind, unclosed
from oneiric.testing.rerouting import targets_of, to_impossible_file
from oneiric.testing.under_test import AdapterUnderTest, shows_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from oneiric.adapters.base import Adapter
    from oneiric.spec import AdapterSpec

PATIENCE = 30.0
"""Seconds in which init, health and cleanup have to end, whatever the backend does."""
_TIMES = 20


class LifecycleTests(AdapterUnderTest):
    """What holds of `init`, `health` and `cleanup`."""

    @pytest.fixture
    def unreachable(self, spec: AdapterSpec, config: Mapping[str, Any], tmp_path: Path) -> Iterator[Mapping[str, Any]]:
        """Settings with which `init` can't succeed. Override it where `targets()` doesn't tell how to make them."""
        targets = targets_of(spec.settings, config)
        if targets is not None and targets.endpoints:
            with (
                socket.socket() as nobody
            ):  # bound and not listening: connections are refused, and nobody else gets the port
                nobody.bind(("127.0.0.1", 0))
                yield self.through(config, *nobody.getsockname())
            return
        impossible = (
            to_impossible_file(config, targets.files[0], tmp_path) if targets is not None and targets.files else None
        )
        if impossible is None:
            skip("the settings' targets() names nothing that could be out of reach")
        yield impossible

    async def test_init_a_second_time_opens_nothing_more(self, make: Callable[..., Adapter]) -> None:
        """`init` is idempotent."""
        adapter = make()
        with unclosed() as unclosed_by_init:
            async with adapter:
                await self.probe(adapter)
                before = Held.now()
                for _ in range(_TIMES):
                    await adapter.init()
                left = await left_behind(before, allowed=_TIMES - 1)
                await self.probe(adapter)
        assert left == [], f"init() opens something again each time it is called; after {_TIMES} more times: {left}."
        assert unclosed_by_init == [], f"init() drops what it had opened before, unclosed: {unclosed_by_init}."

    async def test_init_by_many_tasks_at_once_opens_one(self, make: Callable[..., Adapter]) -> None:
        """`init` may be called by any number of tasks, and is idempotent then too."""
        async with make() as one:
            await self.probe(one)
        before = Held.now()
        adapter = make()
        with unclosed() as dropped:
            await asyncio.gather(*(adapter.init() for _ in range(_TIMES)))
            await self.probe(adapter)
            await adapter.cleanup()
            left = await left_behind(before, allowed=_TIMES // 2)
        assert left == [], f"{_TIMES} tasks called init() at once, then one cleanup(), and this is still there: {left}."
        assert dropped == [], (
            f"{_TIMES} tasks called init() at once, and all but one of what they opened is dropped, unclosed."
        )

    async def test_cleanup_a_second_time_does_nothing(self, make: Callable[..., Adapter]) -> None:
        """`cleanup` is idempotent."""
        adapter = make()
        await adapter.init()
        await adapter.cleanup()
        await _raises_nothing(adapter.cleanup(), "cleanup(), called a second time,")

    async def test_cleanup_without_init_does_nothing(self, make: Callable[..., Adapter]) -> None:
        """`cleanup` is safe where there was no `init`."""
        await _raises_nothing(make().cleanup(), "cleanup(), called without init(),")

    async def test_an_adapter_that_was_cleaned_up_works_again_after_another_init(
        self, make: Callable[..., Adapter]
    ) -> None:
        """A life can be followed by another."""
        adapter = make()
        for _ in range(3):
            await adapter.init()
            await self.probe(adapter)
            await adapter.cleanup()

    async def test_an_adapter_that_was_made_has_opened_nothing(self, make: Callable[..., Adapter]) -> None:
        """The constructor opens nothing: that is what `init` is for."""
        async with make() as one:
            await self.probe(one)
        before = Held.now()
        adapters = [make() for _ in range(_TIMES)]
        found = Held.now().beyond(before, allowed=_TIMES - 1)
        assert found == [], f"{len(adapters)} adapters were made and not initialised, and yet opened: {found}."

    async def test_calls_before_init_raise_not_initialized(self, make: Callable[..., Adapter]) -> None:
        """Every method of the contract says `NotInitialized` before `init`."""
        wrong = await _not_refused(make(), self.contract)
        assert wrong == {}, (
            f"Before init() each of these has to raise NotInitialized, with the adapter's name: {wrong}."
        )

    async def test_calls_after_cleanup_raise_not_initialized(self, make: Callable[..., Adapter]) -> None:
        """And after `cleanup`."""
        adapter = make()
        async with adapter:
            await self.probe(adapter)
        wrong = await _not_refused(adapter, self.contract)
        assert wrong == {}, (
            f"After cleanup() each of these has to raise NotInitialized, with the adapter's name: {wrong}."
        )

    async def test_health_is_no_before_init_and_after_cleanup(self, make: Callable[..., Adapter]) -> None:
        """What is not open is not healthy."""
        adapter = make()
        before = await _health(adapter)
        async with adapter:
            pass
        after = await _health(adapter)
        assert not before, f"health() says yes before init(): {before!r}."
        assert not after, f"health() says yes after cleanup(): {after!r}."

    async def test_health_is_yes_where_it_works(self, adapter: Adapter) -> None:
        """What works is healthy."""
        await self.probe(adapter)
        health = await _health(adapter)
        assert health, f"The backend works, and health() says no: {health!r}."

    async def test_health_raises_nothing_while_the_adapter_is_opened_and_closed(
        self, make: Callable[..., Adapter]
    ) -> None:
        """`health` may be asked at any moment."""
        adapter = make()
        for call_of_life in (adapter.init, adapter.cleanup) * 3:
            await asyncio.gather(call_of_life(), *(_health(adapter) for _ in range(_TIMES)))

    async def test_an_init_that_fails_says_so_with_an_error_of_ours(
        self, make: Callable[..., Adapter], unreachable: Mapping[str, Any]
    ) -> None:
        """What `init` raises is an OneiricError with the adapter's name, and no secret in it."""
        adapter = make(**unreachable)
        error = await _failed_init(adapter)
        assert isinstance(error, OneiricError), f"init() raised {type(error).__name__}, which is not one of our errors."
        assert error.adapter == adapter.name, (
            f"The error of init() has the adapter {error.adapter!r}: give it its name."
        )
        assert not shows_secret(error, adapter), "The error of init() shows a secret."
        await adapter.cleanup()

    async def test_cleanup_after_an_init_that_failed_does_nothing(
        self, make: Callable[..., Adapter], unreachable: Mapping[str, Any]
    ) -> None:
        """`cleanup` is safe after a failed `init`, and the adapter is as if it had never been opened."""
        adapter = make(**unreachable)
        await _failed_init(adapter)
        assert not await _health(adapter), "init() failed, and health() says yes."
        await _raises_nothing(adapter.cleanup(), "cleanup(), called after an init() that failed,")
        wrong = await _not_refused(adapter, self.contract)
        assert wrong == {}, f"init() failed, so each of these has to raise NotInitialized: {wrong}."

    async def test_an_init_that_failed_leaves_nothing_behind(
        self, make: Callable[..., Adapter], unreachable: Mapping[str, Any]
    ) -> None:
        """Trying again and again, as a manager does, costs nothing."""
        await _fail(make(**unreachable), times=2)
        before = Held.now()
        with unclosed() as found:
            await _fail(make(**unreachable), times=_TIMES)
        left = await left_behind(before, allowed=_TIMES // 2)
        assert left == [], f"After {_TIMES} times init() that failed, each with its cleanup(): {left}."
        assert found == [], f"An init() that failed leaves unclosed: {found}."


async def _fail(adapter: Adapter, times: int) -> None:
    for _ in range(times):
        await _failed_init(adapter)
        await adapter.cleanup()


async def _failed_init(adapter: Adapter) -> Exception:
    try:
        await within(PATIENCE, adapter.init())
    except DeadlinePassed:
        pytest.fail(f"The backend can't be reached, and init() did not end within {PATIENCE:.0f} s.")
    except Exception as error:  # noqa: BLE001 - which it is, is looked at
        return error
    pytest.fail("init() succeeds with the settings of the fixture `unreachable`: bring one with which it can't.")


async def _health(adapter: Adapter) -> bool | Health:
    try:
        health = await within(PATIENCE, adapter.health())
    except DeadlinePassed:
        pytest.fail(f"health() did not answer within {PATIENCE:.0f} s: it has to have a deadline.")
    except Exception as error:  # noqa: BLE001
        pytest.fail(f"health() raised {type(error).__name__}: {error}. It never raises: its answer is no.")
    assert isinstance(health, bool | Health), f"health() returned {health!r}, which is neither a bool nor a Health."
    assert not shows_secret(health, adapter), "What health() says shows a secret."
    return health


async def _raises_nothing(call: Any, which: str) -> None:
    try:
        await within(PATIENCE, call)
    except DeadlinePassed:
        pytest.fail(f"{which} did not end within {PATIENCE:.0f} s.")
    except Exception as error:  # noqa: BLE001
        pytest.fail(f"{which} raised {type(error).__name__}: {error}.")


async def _not_refused(adapter: Adapter, contract: type) -> dict[str, str]:
    """What each method of the contract did that did not raise NotInitialized with the adapter's name."""
    found = {}
    for method in methods_of(contract):
        try:
            await within(PATIENCE, call(adapter, contract, method))
        except NotInitialized as error:
            if error.adapter != adapter.name:
                found[method] = f"its error's adapter is {error.adapter!r}, not {adapter.name!r}"
        except Exception as error:  # noqa: BLE001
            found[method] = f"it raised {type(error).__name__}: {error}"
        else:
            found[method] = "it raised nothing"
    return found
