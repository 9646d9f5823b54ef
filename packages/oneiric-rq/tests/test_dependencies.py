"""Tasks that wait for other tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import CancelOutcome, TaskState
from oneiric.errors import InvalidTask, NotInitialized, UnknownTask
from oneiric.testing.patience import PATIENCE, until
from oneiric_rq import RedisQueueAdapter
from oneiric_rq.conformance import RqWorker, kit
from oneiric_rq.dependencies import MOST
from rq.job import Dependency, Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oneiric.testing.valkey import ValkeyServer
    from redis import Redis
    from rq import Queue


@pytest.fixture
def worker(server: ValkeyServer, name: str) -> Iterator[RqWorker]:
    worker = RqWorker(server.url, name)
    yield worker
    worker.stop()


async def test_it_is_written_down_as_rq_does(adapter: RedisQueueAdapter, plain: Queue, client: Redis) -> None:
    first, second = await adapter.submit_task("f"), await adapter.submit_task("f")
    ours = await adapter.submit_after([first, second], "f", even_if_failed=True)
    theirs = plain.enqueue("f", depends_on=Dependency([first, second], allow_failure=True)).id

    def written(task_id: str) -> dict[bytes, bytes]:
        kept = {b"status", b"dependency_id", b"dependency_ids", b"allow_dependency_failures"}
        return {name: value for name, value in client.hgetall(Job.key_for(task_id)).items() if name in kept}

    assert written(ours) == written(theirs)
    assert set(plain.deferred_job_registry.get_job_ids()) == {ours, theirs}
    job = plain.fetch_job(ours)
    assert job is not None
    assert set(job.dependency_ids) == {first, second}
    for each in (first, second):
        parent = plain.fetch_job(each)
        assert parent is not None
        assert set(parent.dependent_ids) == {ours, theirs}
    assert await adapter.queue_depth() == 2


@pytest.mark.usefixtures("worker")
async def test_it_starts_when_all_the_others_have_succeeded(adapter: RedisQueueAdapter, tmp_path: Path) -> None:
    ledger = str(tmp_path / "ledger")
    held = tmp_path / "held"
    first = await adapter.submit_task(kit("hold"), [str(held)])
    second = await adapter.submit_task(kit("note"), [ledger, "second"])
    last = await adapter.submit_after([first, second], kit("note"), [ledger, "last"])
    assert (await adapter.get_task_status(last))["state"] is TaskState.SCHEDULED
    held.touch()
    await adapter.wait_for_result(last, timeout=PATIENCE)
    assert read(ledger) == ["second", "last"]
    after_all = await adapter.submit_after([first, second, last], kit("add"), [1, 2])
    assert await adapter.wait_for_result(after_all, timeout=PATIENCE) == 3


def read(path: str) -> list[str]:
    with open(path) as file:  # noqa: PTH123
        return file.read().split()


@pytest.mark.usefixtures("worker")
async def test_it_waits_for_one_that_failed_unless_it_is_to_start_all_the_same(adapter: RedisQueueAdapter) -> None:
    before = await adapter.submit_task(kit("hold"), ["/nonexistent/x"])
    waiting = [await adapter.submit_after([before], kit("add"), [1, n], even_if_failed=bool(n)) for n in (0, 1)]

    async def has_failed() -> bool:
        return (await adapter.get_task_status(before))["state"] is TaskState.FAILED

    await until(has_failed, "A task that raises fails.")
    assert await adapter.wait_for_result(waiting[1], timeout=PATIENCE) == 2
    now = await adapter.submit_after([before], kit("add"), [3, 4], even_if_failed=True)
    assert await adapter.wait_for_result(now, timeout=PATIENCE) == 7
    assert (await adapter.get_task_status(waiting[0]))["state"] is TaskState.SCHEDULED
    assert await adapter.cancel_task(waiting[0]) is CancelOutcome.PREVENTED


async def test_an_id_submitted_again_makes_no_second_task(adapter: RedisQueueAdapter, name: str) -> None:
    first = await adapter.submit_task("f")
    for _ in range(3):
        assert await adapter.submit_after([first, first], "f", task_id=name) == name
    assert await adapter.queue_depth() == 1


@pytest.mark.parametrize("after", ["abc", [], [1], ["a/b"], None, {"a"}, ["a"] * 2 + [f"x{n}" for n in range(MOST)]])
async def test_what_is_no_list_of_ids_is_refused(adapter: RedisQueueAdapter, after: Any) -> None:
    with pytest.raises(InvalidTask, match="after"):
        await adapter.submit_after(after, "f")
    assert await adapter.queue_depth() == 0


async def test_a_task_that_is_not_there_is_waited_for_by_none(
    adapter: RedisQueueAdapter, client: Redis, name: str
) -> None:
    first = await adapter.submit_task("f")
    with pytest.raises(UnknownTask):
        await adapter.submit_after([first, "never-seen"], "f", task_id=name)
    assert (await adapter.get_task_status(name))["state"] is TaskState.UNKNOWN
    assert not client.exists(f"rq:job:{first}:dependents")


async def test_before_init_it_says_so() -> None:
    with pytest.raises(NotInitialized):
        await RedisQueueAdapter({"url": "redis://h"}).submit_after(["a"], "f")
