"""The Celery application of the conformance suite's workers: the kit's tasks, as plain Celery tasks."""

from __future__ import annotations

from typing import Any

from celery import Celery
from oneiric.testing.queue import tasks

app = Celery("conformance")

for _name, _function in tasks.TASKS.items():
    if not _name.endswith(".progress"):
        app.task(_function, name=_name)


@app.task(bind=True, name=f"{tasks.__name__}.progress")  # type: ignore[untyped-decorator,unused-ignore]
def progress(self: Any, value: Any, path: str) -> str:
    """Report `value` as Celery's own progress, then hold."""
    self.update_state(state="PROGRESS", meta=value)
    return tasks.hold(path)
