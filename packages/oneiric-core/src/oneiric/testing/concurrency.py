"""Many tasks at once, calls that are cancelled wherever they wait, and lives that leave nothing behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from oneiric.errors import OneiricError
from oneiric.lifecycle.deadline import DeadlinePassed, within
from oneiric.testing.cancelling import awaits, cancel_after, cancel_at
from oneiric.testing.held import Held, left_behind, unclosed
from oneiric.testing.stalls import longest_stall
from oneiric.testing.under_test import AdapterUnderTest

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.base import Adapter

_PATIENCE = 30.0
_TASKS = 100
_LIVES = 20
_LONGEST_STALL = 0.02
"""Seconds that the event loop may stand still."""
_BESIDE = 20
_ROUNDS = 8
"""How often that is measured: a machine that is busy stalls us now and then, an adapter that blocks does each time."""


class ConcurrencyTests(AdapterUnderTest):
    """What holds of the calls of an adapter, whichever they are; `probe` stands for them."""

    async def test_a_hundred_tasks_call_at_once(self, adapter: Adapter) -> None:
        """The methods may be called from any number of tasks."""
        tasks = [asyncio.ensure_future(self.probe(adapter)) for _ in range(_TASKS)]
        _, unfinished = await asyncio.wait(tasks, timeout=_PATIENCE)
        assert not unfinished, f"{len(unfinished)} of {_TASKS} calls at once did not end within {_PATIENCE:.0f} s."
        failed = [f"{type(error).__name__}: {error}" for error in (task.exception() for task in tasks) if error]
        assert failed == [], f"{len(failed)} of {_TASKS} calls at once failed, the first with {failed[0]}."

    async def test_a_call_that_is_cancelled_where_it_waits_ends_as_cancelled(self, adapter: Adapter) -> None:
        """A cancellation is never swallowed, nor turned into another error: a deadline around the call depends on it."""
        for number in awaits():
            outcome = await cancel_at(number, self.probe(adapter))
            if not outcome.was_cancelled:
                break
            assert outcome.ended == "cancelled", (
                f"A call was cancelled at its await no. {number + 1}, and did not raise CancelledError: {outcome.ended}."
            )

    async def test_a_call_that_is_cancelled_where_it_waits_leaves_the_adapter_usable(self, adapter: Adapter) -> None:
        """The next call finds the connection, the lock and the pool as they should be."""
        for number in awaits():
            outcome = await cancel_at(number, self.probe(adapter))
            await self._still_works(adapter, f"a call was cancelled at its await no. {number + 1}")
            if not outcome.was_cancelled:
                break

    async def test_a_call_that_is_cancelled_at_any_moment_leaves_the_adapter_usable(self, adapter: Adapter) -> None:
        """Also where the answer is on its way, or has just come."""
        turns, finished = 0, 0
        while finished < 3 and turns < 60:
            outcome = await cancel_after(turns, self.probe(adapter))
            await self._still_works(adapter, f"a call was cancelled after {turns} turns of the event loop")
            finished += not outcome.was_cancelled
            turns += 1

    async def test_many_calls_that_are_cancelled_leave_the_adapter_usable(self, adapter: Adapter) -> None:
        """Nothing of a pool is used up by them."""
        for _ in range(3):
            tasks = [asyncio.ensure_future(self.probe(adapter)) for _ in range(_TASKS)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_PATIENCE)
            assert all(task.done() for task in tasks), "Calls that were cancelled do not end."
            await self._still_works(adapter, f"{_TASKS} calls were cancelled at once")
        await asyncio.gather(*(self.probe(adapter) for _ in range(_TASKS)))

    async def test_an_init_that_is_cancelled_where_it_waits_leaves_nothing_behind(
        self, make: Callable[..., Adapter]
    ) -> None:
        """What it had opened is closed, by itself or by `cleanup`, and another `init` works."""
        await self._live(make())
        before = Held.now()
        adapter = make()
        for number in awaits():
            outcome = await cancel_at(number, adapter.init())
            await within(_PATIENCE, adapter.cleanup())
            if not outcome.was_cancelled:
                break
        left = await left_behind(before)
        assert left == [], f"init() was cancelled at each of its awaits, each time with a cleanup() after it: {left}."
        await self._live(adapter)

    async def test_a_cleanup_that_is_cancelled_where_it_waits_can_be_called_again(
        self, make: Callable[..., Adapter]
    ) -> None:
        """The second one closes what the first did not get to."""
        await self._live(make())
        before = Held.now()
        for number in awaits():
            adapter = make()
            await adapter.init()
            await self.probe(adapter)
            outcome = await cancel_at(number, adapter.cleanup())
            await within(_PATIENCE, adapter.cleanup())
            if not outcome.was_cancelled:
                break
        left = await left_behind(before)
        assert left == [], f"cleanup() was cancelled at each of its awaits, and called again each time: {left}."

    async def test_a_cleanup_beside_calls_ends_and_so_do_they(self, make: Callable[..., Adapter]) -> None:
        """Each with its answer, or with an error of ours; what they had is closed too."""
        await self._live(make())
        before = Held.now()
        adapter = make()
        for turns in (0, 1, 2, 5, 10):
            await adapter.init()
            calls = [asyncio.ensure_future(self.probe(adapter)) for _ in range(_BESIDE)]
            for _ in range(turns):
                await asyncio.sleep(0)
            await within(_PATIENCE, adapter.cleanup())
            _, unfinished = await asyncio.wait(calls, timeout=_PATIENCE)
            assert not unfinished, f"The adapter was cleaned up, and {len(unfinished)} of {_BESIDE} calls go on."
            wrong = [repr(error) for error in map(_raised, calls) if not isinstance(error, OneiricError | None)]
            assert wrong == [], (
                f"The adapter was cleaned up beside calls, which have to return or raise one of our errors: {wrong}."
            )
        left = await left_behind(before)
        assert left == [], f"The adapter was cleaned up beside calls, which leave behind: {left}."

    async def test_twenty_lives_leave_nothing_behind(self, make: Callable[..., Adapter]) -> None:
        """No task, thread, socket or file outlives `cleanup`."""
        for _ in range(2):
            await self._live(make())
        before = Held.now()
        with unclosed() as found:
            for _ in range(_LIVES):
                await self._live(make())
        left = await left_behind(before, allowed=_LIVES // 2)
        assert left == [], f"After {_LIVES} times init(), a call and cleanup(): {left}."
        assert found == [], f"cleanup() leaves unclosed: {found[:3]}."

    async def test_the_event_loop_does_not_stand_still(self, adapter: Adapter) -> None:
        """A driver that blocks has to be called in a thread."""
        stalls: list[float] = []
        while not stalls or (min(stalls) > _LONGEST_STALL and len(stalls) < _ROUNDS):
            stalls.append(await longest_stall(asyncio.gather(*(self._probe_often(adapter) for _ in range(10)))))
        assert min(stalls) <= _LONGEST_STALL, (
            f"The event loop stood still for at least {min(stalls) * 1000:.0f} ms in each of {len(stalls)} rounds of calls, "
            f"and {_LONGEST_STALL * 1000:.0f} ms are allowed: something blocks it."
        )

    async def _probe_often(self, adapter: Adapter) -> None:
        for _ in range(5):
            await self.probe(adapter)

    async def _live(self, adapter: Adapter) -> None:
        async with adapter:
            await self.probe(adapter)

    async def _still_works(self, adapter: Adapter, after: str) -> None:
        try:
            await within(_PATIENCE, self.probe(adapter))
        except DeadlinePassed:
            pytest.fail(f"After {after}, the next call did not end within {_PATIENCE:.0f} s.")
        except Exception as error:  # noqa: BLE001
            pytest.fail(f"After {after}, the next call raised {type(error).__name__}: {error}.")


def _raised(call: asyncio.Task[None]) -> BaseException | None:
    return asyncio.CancelledError() if call.cancelled() else call.exception()
