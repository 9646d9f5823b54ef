"""The Celery application of the tests' workers: the kit's tasks, and some of our own, in plain Celery."""

from __future__ import annotations

import os
import time

from celery import Celery
from oneiric.adapters.queue import report_progress
from oneiric.testing.queue import tasks

app = Celery("served", broker=os.environ.get("TEST_BROKER"), backend=os.environ.get("TEST_BACKEND"))

for name, function in tasks.TASKS.items():
    if not name.endswith(".progress"):
        app.task(function, name=name)


@app.task(bind=True, name="oneiric.testing.queue.tasks.progress")
def progress(self, value, path):
    self.update_state(state="PROGRESS", meta=value)
    return tasks.hold(path)


@app.task(name="tests.report")
def report(value, path):
    """A plain function, which knows no engine."""
    report_progress(value)
    return tasks.hold(path)


@app.task(name="tests.work")
def work(path, line, seconds):
    time.sleep(seconds)
    tasks.note(path, line)
    return line


@app.task(bind=True, name="tests.retry_by_itself", max_retries=3)
def retry_by_itself(self, path):
    tasks.note(path, "called")
    raise self.retry(countdown=60, exc=ValueError("not yet"))
