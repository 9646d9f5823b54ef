"""Plain Celery and the adapter, on one broker: each sees what the other has submitted. The worker is Celery's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery
from oneiric.adapters.queue import CancelOutcome, TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric_celery import CeleryQueueAdapter

HERE = Path(__file__).parent
ADD = "oneiric.testing.queue.tasks.add"


@pytest.fixture(scope="module")
def plain_worker(shared_valkey: Any) -> Iterator[None]:
    """`celery worker`, as it is."""
    environment = {**os.environ, "TEST_BROKER": shared_valkey.url, "TEST_BACKEND": shared_valkey.url}
    environment |= {"PYTHONPATH": str(HERE), "C_FORCE_ROOT": "1", "PYTHONWARNINGS": "ignore"}
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "served_tasks:app",
        "worker",
        "-c",
        "1",
        "-Q",
        "plain",
        "-l",
        "error",
    ]
    process = subprocess.Popen(command, env=environment, cwd=HERE, start_new_session=True)
    yield
    process.terminate()
    process.wait(20)


@pytest.fixture
def plain(shared_valkey: Any) -> Iterator[Celery]:
    app = Celery("plain", broker=shared_valkey.url, backend=shared_valkey.url, set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def config(shared_valkey: Any) -> dict[str, Any]:
    return {"broker_url": shared_valkey.url, "queue": "plain", "plain_workers": True}


async def test_a_task_of_plain_celery_is_visible_to_the_adapter(
    queue: CeleryQueueAdapter, plain: Celery, plain_worker: None, until: Any
) -> None:
    task_id = plain.send_task(ADD, [20, 22], queue="plain").id

    async def has_succeeded() -> bool:
        return (await queue.get_task_status(task_id))["state"] is TaskState.SUCCEEDED

    await until(has_succeeded)
    assert await queue.wait_for_result(task_id) == 42
    assert await queue.cancel_task(task_id) is CancelOutcome.TOO_LATE


async def test_a_waiting_task_of_plain_celery_is_counted(queue: CeleryQueueAdapter, plain: Celery) -> None:
    """It has left nothing under its id yet, so its state is unknown."""
    result = plain.send_task(ADD, [1, 2], queue="nobody-serves-it")
    assert await queue.queue_depth("nobody-serves-it") == 1
    assert (await queue.get_task_status(result.id))["state"] is TaskState.UNKNOWN


async def test_a_task_of_the_adapter_is_plain_celerys(
    queue: CeleryQueueAdapter, plain: Celery, plain_worker: None
) -> None:
    waiting = plain.AsyncResult(await queue.submit_task(ADD, [1, 2], queue="nobody-serves-it"))
    assert waiting.state == "PENDING"
    result = plain.AsyncResult(await queue.submit_task(ADD, [1, 2]))
    assert result.get(timeout=30) == 3
    failed = plain.AsyncResult(await queue.submit_task("oneiric.testing.queue.tasks.fail", ["no luck"]))
    with pytest.raises(ValueError, match="no luck"):
        failed.get(timeout=30)


async def test_a_task_that_was_cancelled_is_revoked_for_plain_celery(queue: CeleryQueueAdapter, plain: Celery) -> None:
    task_id = await queue.submit_task(ADD, [1, 2], queue="nobody-serves-it-either")
    assert await queue.cancel_task(task_id) is CancelOutcome.PREVENTED
    assert plain.AsyncResult(task_id).state == "REVOKED"
    assert await queue.queue_depth("nobody-serves-it-either") == 0


async def test_a_retry_of_a_tasks_own_is_said(
    queue: CeleryQueueAdapter, plain_worker: None, until: Any, tmp_path: Path
) -> None:
    task_id = await queue.submit_task("tests.retry_by_itself", [str(tmp_path / "calls")])

    async def is_retrying() -> bool:
        return (await queue.get_task_status(task_id))["state"] is TaskState.RETRYING

    await until(is_retrying)
    assert (await queue.get_task_status(task_id))["error"] == "ValueError: not yet"
    assert await queue.cancel_task(task_id) is CancelOutcome.PREVENTED
    assert (await queue.get_task_status(task_id))["state"] is TaskState.CANCELLED


async def test_plain_workers_are_listed(queue: CeleryQueueAdapter, plain_worker: None, until: Any) -> None:
    async def is_listed() -> bool:
        return any("plain" in worker["queues"] for worker in await queue.list_workers())

    await until(is_listed)
    assert "connected" in (await queue.health()).detail
