"""What is pushed is what `send_task` pushes, byte for byte."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from oneiric.adapters.queue import Task
from oneiric_celery import CelerySettings
from oneiric_celery.application import application
from oneiric_celery.message import message, options_of
from oneiric_celery.submissions import submission

ETA = datetime(2036, 1, 1, tzinfo=UTC)
TASKS = {
    "plain": Task(name="myapp.tasks.add", args=[1, 2], task_id="one"),
    "unicode and floats": Task(
        name="a", args=["ä\u2028🧪", 1e300, [None, True]], kwargs={"ü": {"": []}}, task_id="one"
    ),
    "for later": Task(name="a", eta=ETA, task_id="one"),
    "that expires": Task(name="a", expires=ETA, task_id="one"),
    "in another queue, with a priority": Task(name="a", queue="urgent.b:c", priority=9, task_id="one"),
    "with a low priority": Task(name="a", priority=2, task_id="one"),
    "that is run again": Task(name="a", max_retries=3, delay=timedelta(0), task_id="one"),
    "with long arguments": Task(name="a", args=["x" * 5000], task_id="one"),
}


@pytest.mark.parametrize("case", TASKS)
def test_a_message_is_that_of_send_task(case: str, shared_valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS[case]
    settings = CelerySettings(broker_url=shared_valkey.url)
    app = application(settings, settings.broker)
    made = submission(task, settings, None)
    tags = count()
    monkeypatch.setattr("kombu.transport.virtual.base.uuid", lambda: str(uuid.UUID(int=next(tags))))
    client = shared_valkey.client
    client.flushall()
    app.send_task(made.name, task.args, task.kwargs, **options_of(made, is_redis=True))
    (key,) = client.scan_iter(_type="list")
    theirs = client.lindex(key, 0)
    monkeypatch.setattr(
        "oneiric_celery.message.uuid4", lambda: uuid.UUID(json.loads(theirs)["properties"]["delivery_tag"])
    )
    ours = message(app, made, task, settings.priority_steps)
    assert ours.key == key
    assert _without_the_clock(ours.text) == _without_the_clock(theirs)
    client.flushall()
    app.close()


def _without_the_clock(text: str) -> str:
    """The milliseconds that are left until it expires are counted at two moments."""
    left = json.loads(text)["properties"].get("expiration")
    return text if left is None else text.replace(f'"{left}"', f'"{int(left) // 10_000}"')
