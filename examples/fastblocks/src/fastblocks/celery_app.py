"""The task for Celery's workers: `oneiric-celery worker fastblocks.celery_app:app`. RQ's take `fastblocks.tasks` itself."""

from __future__ import annotations

from celery import Celery

from fastblocks.tasks import PROCESS_BLOCK, process_block

app = Celery("fastblocks")
app.conf.task_time_limit = 180  # seconds, as RQ has it: a template may loop for long
app.task(process_block, name=PROCESS_BLOCK)
