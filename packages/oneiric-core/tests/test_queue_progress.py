"""What a task reports goes to the worker that runs it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from oneiric.adapters.queue import progress_goes_to, report_progress


def test_outside_of_a_worker_nothing_happens():
    report_progress({"done": 1})


def test_what_is_reported_goes_to_the_innermost_worker_alone():
    outer, inner = list[Any](), list[Any]()
    with progress_goes_to(outer.append):
        with progress_goes_to(inner.append):
            report_progress(1)
        report_progress(2)
    report_progress(3)
    assert (outer, inner) == ([2], [1])


def test_tasks_at_the_same_time_are_told_apart():
    seen: dict[int, list[int]] = {0: [], 1: []}

    async def task(number: int) -> None:
        with progress_goes_to(seen[number].append):
            for _ in range(3):
                await asyncio.to_thread(report_progress, number)

    async def both() -> None:
        await asyncio.gather(task(0), task(1))

    asyncio.run(both())
    assert seen == {0: [0, 0, 0], 1: [1, 1, 1]}


def test_what_json_cannot_hold_is_refused_with_or_without_a_worker():
    with pytest.raises(ValueError, match="`progress` is of the type set"):
        report_progress({1})
