"""When a task may start: `delay`, `eta` and `expires`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.queue.base import EXPIRES, RESULTS, SCHEDULE, TaskState
from oneiric.testing.expecting import by_name
from oneiric.testing.patience import until
from oneiric.testing.queue.under_test import QueueUnderTest, with_worker

if TYPE_CHECKING:
    from oneiric.adapters.queue.base import QueueAdapter
    from oneiric.testing.queue.under_test import Ledger, RunWorker

_DELAY = 1.5
"""Seconds. An engine may count in whole ones, and a task must not start too early then."""
_NAIVE = datetime(2100, 1, 1)
_BAD: dict[str, Any] = {"negative": -1, "not a number": float("nan"), "infinite": float("inf"), "text": "10"}
_BAD |= {"a negative timedelta": timedelta(seconds=-1), "later than time goes": 1e300}
_OVER: dict[str, Any] = {"over": 0, "over since 2001": datetime(2001, 1, 1, tzinfo=UTC)}


class SchedulingTests(QueueUnderTest):
    """Times of tasks."""

    @pytest.mark.parametrize("given_as", ["delay", "delay, a timedelta", "eta", "eta, in another time zone"])
    @with_worker
    async def test_a_task_starts_not_before_its_time(
        self, adapter: QueueAdapter, capabilities: frozenset[str], given_as: str
    ) -> None:
        """And some time after it."""
        self.needs(capabilities, SCHEDULE, RESULTS)
        earliest = time.time() + _DELAY
        when: dict[str, Any] = {
            "delay": {"delay": _DELAY},
            "delay, a timedelta": {"delay": timedelta(seconds=_DELAY)},
            "eta": {"eta": datetime.fromtimestamp(earliest, UTC)},
            "eta, in another time zone": {"eta": datetime.fromtimestamp(earliest, timezone(timedelta(hours=-9)))},
        }
        started = await self.result(adapter, "now", **when[given_as])
        assert started >= earliest, f"A task started {earliest - started:.3f} s before it was to."

    @pytest.mark.parametrize(
        "when", [{"delay": 0}, {"eta": datetime(2001, 1, 1, tzinfo=UTC)}], ids=["delay 0", "past eta"]
    )
    @with_worker
    async def test_a_time_that_has_passed_is_now(
        self, adapter: QueueAdapter, capabilities: frozenset[str], when: dict[str, Any]
    ) -> None:
        """The task runs at once."""
        self.needs(capabilities, SCHEDULE, RESULTS)
        assert await self.result(adapter, "add", 1, 2, **when) == 3

    async def test_a_naive_eta_is_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Nobody knows which time it is."""
        self.needs(capabilities, SCHEDULE)
        await self.refuses(adapter, new_queue, eta=_NAIVE)

    async def test_a_naive_expiry_is_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Nobody knows which time it is."""
        self.needs(capabilities, EXPIRES)
        await self.refuses(adapter, new_queue, expires=_NAIVE)

    async def test_a_delay_and_an_eta_together_are_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """One of them is a mistake."""
        self.needs(capabilities, SCHEDULE)
        await self.refuses(adapter, new_queue, delay=10, eta=datetime.now(UTC) + timedelta(seconds=10))

    @by_name(_BAD)
    async def test_a_delay_that_can_not_be_is_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str, case: Any
    ) -> None:
        """It is a number of seconds from 0, or a timedelta."""
        self.needs(capabilities, SCHEDULE)
        await self.refuses(adapter, new_queue, delay=case)

    @by_name(_BAD | _OVER)
    async def test_an_expiry_that_can_not_be_is_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str, case: Any
    ) -> None:
        """A task that could never start is no task."""
        self.needs(capabilities, EXPIRES)
        await self.refuses(adapter, new_queue, expires=case)

    async def test_an_expiry_before_the_eta_is_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """A task that could never start is no task."""
        self.needs(capabilities, EXPIRES, SCHEDULE)
        await self.refuses(adapter, new_queue, delay=100, expires=50)

    @with_worker
    async def test_a_task_that_starts_in_time_does_not_expire(
        self, adapter: QueueAdapter, capabilities: frozenset[str]
    ) -> None:
        """An expiry is nothing that happens to a task which has been run."""
        self.needs(capabilities, EXPIRES, RESULTS)
        assert await self.result(adapter, "add", 1, 2, expires=3600) == 3

    async def test_a_task_that_has_expired_never_runs(
        self,
        adapter: QueueAdapter,
        capabilities: frozenset[str],
        run_worker: RunWorker | None,
        new_queue: str,
        ledger: Ledger,
    ) -> None:
        """It is cancelled, or unknown where the queue forgets it; no worker that comes later runs it."""
        self.needs(capabilities, EXPIRES)
        expires = datetime.now(UTC) + timedelta(seconds=1)
        expired = await self.submit(adapter, "note", ledger.path, "the expired one", queue=new_queue, expires=expires)
        last = await self.submit(adapter, "note", ledger.path, "the last one", queue=new_queue)
        await until(lambda: datetime.now(UTC) > expires, "The clock stands still.")
        async with self.runs(run_worker)(new_queue):
            await self.ended(adapter, last)

            async def has_gone() -> bool:
                return await self.state(adapter, expired) in (TaskState.CANCELLED, TaskState.UNKNOWN)

            await until(has_gone, "A task has expired, and its state is neither `cancelled` nor `unknown`.")
        assert ledger.lines == ["the last one"], "A task was run after it had expired."
