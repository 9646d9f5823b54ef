"""How a task reports its progress."""

from __future__ import annotations

from typing import Any

from oneiric.adapters.payload import json_text
from rq import get_current_job


def report_progress(value: Any) -> None:
    """Make `value` the `progress` in the status of the task that runs; does nothing outside of a worker.

    Raises ValueError for what JSON can't hold.
    """
    json_text(value, "progress")
    job = get_current_job()
    if job is not None:
        job.meta["progress"] = value
        job.save_meta()  # type: ignore[no-untyped-call]
