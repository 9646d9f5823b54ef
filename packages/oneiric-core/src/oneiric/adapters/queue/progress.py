"""How a task reports its progress, whichever queue runs it: a plain function knows no engine."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from oneiric.adapters.payload import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_report: ContextVar[Callable[[Any], object] | None] = ContextVar("where progress goes", default=None)


def report_progress(value: Any) -> None:
    """Make `value` the `progress` in the status of the task that runs; does nothing where no worker runs it.

    Raises ValueError for what JSON can't hold.
    """
    json_text(value, "progress")
    report = _report.get()
    if report is not None:
        report(value)


@contextmanager
def progress_goes_to(report: Callable[[Any], object]) -> Iterator[None]:
    """For workers: within the block, in which a task runs, `report` is given what it reports."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)
