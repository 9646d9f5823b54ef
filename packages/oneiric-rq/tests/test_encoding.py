"""What is submitted is what RQ itself would have written down."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import Task
from oneiric.adapters.queue.submission import checked
from oneiric_rq import encoding, keys
from oneiric_rq.plugin import CAPABILITIES
from oneiric_rq.settings import RedisQueueSettings
from redis import Redis
from rq import Queue, Retry
from rq.job import Job
from rq.registry import CanceledJobRegistry, DeferredJobRegistry, ScheduledJobRegistry
from rq.results import Result
from rq.worker import Worker

if TYPE_CHECKING:
    from oneiric_rq import RedisQueueAdapter

SETTINGS = RedisQueueSettings(url="redis://nowhere", job_timeout=77, result_ttl=88, failure_ttl=99)
PAYLOADS: list[tuple[list[Any], dict[str, Any]]] = [
    ([], {}),
    ([1, "ä\x00\n", None, 1.5, {"a": [True]}], {"job_id": "x", "Ünï": "😀"}),
    (["x" * 200_000], {}),
]


def ours(task: Task, status: str = "queued") -> dict[str, Any]:
    flat = encoding.fields(checked(task, queue="q", capabilities=CAPABILITIES), SETTINGS, status)
    return {str(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def as_text(fields: dict[str, Any]) -> dict[str, str]:
    """As Redis keeps them, less what differs from one moment to the next."""
    kept = {name: str(getattr(value, "value", value)) for name, value in fields.items()}
    return {name: value for name, value in kept.items() if name not in {"data", "created_at", "enqueued_at"}}


@pytest.mark.parametrize(("args", "kwargs"), PAYLOADS)
def test_a_job_has_the_fields_that_rq_gives_it(args: list[Any], kwargs: dict[str, Any]) -> None:
    queue = Queue("q", connection=Redis(), serializer="json")
    job = queue.create_job(
        "app.f", args, kwargs, timeout=77, result_ttl=88, failure_ttl=99, description="app.f", retry=Retry(3)
    )
    job.enqueued_at = datetime.now(UTC)
    theirs, mine = job.to_dict(), ours(Task(name="app.f", args=args, kwargs=kwargs, max_retries=3))
    assert as_text(mine) == {**as_text(theirs), encoding.MAX_RETRIES: "3"}
    assert json.loads(zlib.decompress(mine["data"])) == json.loads(zlib.decompress(theirs["data"]))
    for moment in ("created_at", "enqueued_at"):
        assert len(mine[moment]) == len(theirs[moment])
        assert datetime.fromisoformat(mine[moment]).utcoffset() == timedelta(0)


def test_a_task_without_retries_has_no_fields_of_them() -> None:
    assert not [field for field in ours(Task(name="f", max_retries=0)) if "retr" in field]


def test_a_task_for_later_is_not_enqueued_yet() -> None:
    assert "enqueued_at" not in ours(Task(name="f"), "scheduled")


def test_the_description_which_workers_log_holds_no_argument() -> None:
    fields = ours(Task(name="app.login", args=["hunter2"], kwargs={"password": "hunter3"}))
    fields["data"] = zlib.decompress(fields["data"])
    assert [name for name, value in fields.items() if b"hunter" in str(value).encode()] == ["data"]


def test_the_keys_are_rqs() -> None:
    client = Redis()
    assert keys.job("a") == Job.key_for("a")
    assert keys.results("a") == Result.get_key("a")
    assert keys.queue("a") == Queue("a", connection=client).key
    assert Queue.redis_queues_keys == keys.QUEUES
    assert keys.scheduled("a") == ScheduledJobRegistry("a", connection=client).key
    assert keys.deferred("a") == DeferredJobRegistry("a", connection=client).key
    assert f"{keys.PREFIX}:canceled:a" == CanceledJobRegistry("a", connection=client).key
    assert Worker.redis_workers_keys == keys.WORKERS
    assert Worker.redis_worker_namespace_prefix == keys.WORKER


async def test_a_time_is_never_earlier_than_it_was_asked_for(
    adapter: RedisQueueAdapter, plain: Queue, client: Redis
) -> None:
    """RQ counts in whole seconds."""
    eta = datetime.now(UTC).replace(microsecond=1) + timedelta(hours=1)
    task_id = await adapter.submit_task("f", eta=eta)
    assert plain.scheduled_job_registry.get_scheduled_time(task_id) == eta.replace(microsecond=0) + timedelta(seconds=1)


async def test_a_batch_of_known_and_new_ids_is_one_round_trip(adapter: RedisQueueAdapter, client: Redis) -> None:
    """And nothing of it is there where its last command didn't arrive."""
    before = client.info("stats")["total_commands_processed"]
    await adapter.submit_many([Task(name="f", task_id="one") for _ in range(3)] + [Task(name="f") for _ in range(7)])
    told = client.info("stats")["total_commands_processed"] - before
    assert told < 10 * 5 + 10  # each submit is a script of four commands, around them MULTI, EXEC and our INFO


async def test_a_broker_that_has_forgotten_the_scripts_is_told_them_again(
    adapter: RedisQueueAdapter, client: Redis
) -> None:
    for _ in range(2):
        client.script_flush()
        assert (await adapter.get_task_status(await adapter.submit_task("f")))["state"] == "queued"
        client.script_flush()
        assert await adapter.cancel_task(await adapter.submit_task("f")) == "prevented"
        client.script_flush()
        assert len(await adapter.submit_many([Task(name="f")] * 3)) == 3
    assert await adapter.queue_depth() == 8
