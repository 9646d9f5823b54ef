"""What the conformance kit's tasks can't be for every engine: a task that reports its progress."""

from __future__ import annotations

from typing import Any

from oneiric.testing.queue import tasks

from oneiric_rq.progress import report_progress


def progress(value: Any, path: str) -> str:
    """Report `value`, then do as the kit's `hold` does."""
    report_progress(value)
    return tasks.hold(path)
