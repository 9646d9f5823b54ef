"""The time that a connection test has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.diagnostics import progress
from oneiric.diagnostics.progress import Progress

if TYPE_CHECKING:
    import pytest


def test_a_stage_has_its_timeout_and_all_of_them_three_times_that(monkeypatch: pytest.MonkeyPatch):
    times = iter([100, 100, 110, 120, 125, 129.5, 131, 1000])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(times))
    test = Progress(10, is_open=True)
    assert [test.seconds() for _ in range(7)] == [10, 10, 10, 5, 0.5, 0.001, 0.001]
