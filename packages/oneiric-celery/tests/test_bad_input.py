"""What can't be is refused before anything is sent, and what went wrong elsewhere is said as it is."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from oneiric.adapters.queue import Task, TaskState
from oneiric.errors import ConfigError, InvalidTask, QueueError, UnknownTask, Unsupported
from oneiric_celery import CeleryQueueAdapter

NAME = "oneiric.testing.queue.tasks.nothing"


def _recursive() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


BAD = {
    "a set": {1, 2},
    "bytes": b"x",
    "an object": object(),
    "NaN": float("nan"),
    "a recursive list": _recursive(),
    "10 MB": "x" * 10_000_000,
    "what kombu reads as a date": {"__type__": "datetime", "__value__": "2026-01-01T00:00:00"},
    "what kombu can't read": [{"__type__": "nothing", "__value__": 1}],
}


@pytest.mark.parametrize("case", BAD)
async def test_an_argument_that_can_not_be_sent_is_refused(queue: CeleryQueueAdapter, case: str) -> None:
    good = Task(name=NAME, queue="bad-input")
    with pytest.raises(InvalidTask) as caught:
        await queue.submit_many([good, Task(name=NAME, args=[BAD[case]], queue="bad-input")])
    assert len(str(caught.value)) < 400
    assert "nothing was submitted" in str(caught.value).lower()
    assert await queue.queue_depth("bad-input") == 0


async def test_an_object_with_one_of_the_marks_is_what_it_is(queue: CeleryQueueAdapter) -> None:
    await queue.submit_task(NAME, [{"__type__": "datetime"}, {"__type__": 1, "__value__": 2, "x": 3}], queue="marks")
    assert await queue.queue_depth("marks") == 1


async def test_a_time_beyond_the_visibility_timeout_is_refused_where_workers_would_have_to_hold_it(config: Any) -> None:
    async with CeleryQueueAdapter({**config, "plain_workers": True, "visibility_timeout": 60}) as queue:
        for when in ({"delay": 61}, {"eta": datetime.now(UTC) + timedelta(days=1)}):
            with pytest.raises(InvalidTask, match="visibility_timeout"):
                await queue.submit_task(NAME, queue="far", **when)
        await queue.submit_task(NAME, queue="far", delay=50)
        await queue.submit_task(NAME, queue="far", eta=datetime(2001, 1, 1, tzinfo=UTC))
        assert await queue.queue_depth("far") == 2


async def test_retries_are_refused_where_plain_workers_would_not_know_of_them(config: Any) -> None:
    async with CeleryQueueAdapter({**config, "plain_workers": True}) as queue:
        with pytest.raises(Unsupported, match="retries"):
            await queue.submit_task(NAME, queue="bad-input", max_retries=1)


async def test_a_priority_is_refused_where_the_broker_lacks_them(config: Any) -> None:
    """No connection is needed to know it."""
    queue = CeleryQueueAdapter({"broker_url": "amqp://localhost//", "result_backend": config["broker_url"]})
    assert "priority" in queue.settings.lacks()
    assert (
        "priority" not in CeleryQueueAdapter({**queue.settings.model_dump(), "queue_max_priority": 9}).settings.lacks()
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"broker_url": "http://x"}, "begins with none of"),
        ({"broker_url": "redis://:hunter2@x:99999/0"}, "is not a URL"),
        ({"broker_url": "redis://x/zero"}, "no number"),
        ({"broker_url": "rediss://x/0?ssl_cert_reqs=none"}, "options"),
        ({"broker_url": "unix://host/x"}, "unix:///path"),
        ({"broker_url": "embedded:/x"}, "an embedded server begins with|server begins with"),
        ({"broker_url": "amqp://localhost//"}, "result_backend"),
        ({"broker_url": "amqp://localhost//", "result_backend": "rpc://"}, "nobody else"),
        ({"result_backend": "amqp://localhost//"}, "Redis or Valkey"),
        ({"priority_steps": [3, 6]}, "begin with 0"),
        ({"queue": "a b"}, "queue"),
        ({"visibility_timeout": 0}, "visibility_timeout"),
        ({"brokerurl": "x"}, "`brokerurl` is not a setting"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        CeleryQueueAdapter({"broker_url": "redis://localhost/0", **changes})
    assert "hunter2" not in str(caught.value)


async def test_a_record_of_another_serializer_is_said_to_be_one(queue: CeleryQueueAdapter, shared_valkey: Any) -> None:
    for name, record in (
        ("pickled", pickle.dumps({"status": "SUCCESS"})),
        ("yaml", b"status: SUCCESS"),
        ("list", b"[1]"),
    ):
        shared_valkey.client.set(f"celery-task-meta-{name}", record)
        for call in (queue.get_task_status(name), queue.wait_for_result(name, timeout=5), queue.cancel_task(name)):
            with pytest.raises(QueueError, match="serializer"):
                await call


async def test_a_result_that_is_no_json_number_is_not_passed_on_as_one(
    queue: CeleryQueueAdapter, shared_valkey: Any
) -> None:
    shared_valkey.client.set("celery-task-meta-nan", '{"status": "SUCCESS", "result": NaN}')
    with pytest.raises(QueueError, match="not JSON"):
        await queue.get_task_status("nan")


async def test_a_result_that_has_expired_is_unknown(config: Any, until: Any) -> None:
    async with CeleryQueueAdapter({**config, "result_expires": 1}) as queue:
        task_id = await queue.submit_task(NAME, queue="expiring")
        assert (await queue.get_task_status(task_id))["state"] is TaskState.QUEUED

        async def is_unknown() -> bool:
            return (await queue.get_task_status(task_id))["state"] is TaskState.UNKNOWN

        await until(is_unknown)
        with pytest.raises(UnknownTask):
            await queue.wait_for_result(task_id)


async def test_a_queue_whose_name_is_another_key_is_not_half_submitted_to(
    queue: CeleryQueueAdapter, shared_valkey: Any
) -> None:
    shared_valkey.client.hset("a-hash", "x", "y")
    with pytest.raises(QueueError, match="WRONGTYPE"):
        await queue.submit_task(NAME, queue="a-hash", task_id="half")
    assert (await queue.get_task_status("half"))["state"] is TaskState.UNKNOWN
    assert await queue.queue_depth("a-hash") == 0
