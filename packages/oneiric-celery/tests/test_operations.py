"""What is beyond the kit: chains, groups, chords, tasks for much later, an embedded server, the worker's command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from oneiric.adapters.queue import CancelOutcome, Task, TaskState
from oneiric.errors import InvalidTask, TaskFailed
from oneiric_celery import CeleryQueueAdapter, scripts

KIT = "oneiric.testing.queue.tasks"
HERE = Path(__file__).parent


async def test_a_chain_passes_results_on(queue: CeleryQueueAdapter, module_worker: Any) -> None:
    ids = await queue.submit_chain([Task(name=f"{KIT}.add", args=[1, 2]), Task(name=f"{KIT}.add", args=[10])])
    assert [await queue.wait_for_result(each) for each in ids] == [3, 13]
    ids = await queue.submit_chain([Task(name=f"{KIT}.add", args=[1, 2])] * 2, passing=False)
    assert [await queue.wait_for_result(each) for each in ids] == [3, 3]
    assert await queue.submit_chain([]) == []


async def test_a_chain_ends_where_a_task_fails(queue: CeleryQueueAdapter, module_worker: Any) -> None:
    ids = await queue.submit_chain([Task(name=f"{KIT}.fail", args=["no luck"]), Task(name=f"{KIT}.add", args=[10])])
    assert (await queue.get_task_status(ids[1]))["state"] in (TaskState.QUEUED, TaskState.FAILED)
    for each in ids:
        with pytest.raises(TaskFailed, match="no luck"):
            await queue.wait_for_result(each)


async def test_a_group_is_many_tasks_at_once(queue: CeleryQueueAdapter, module_worker: Any) -> None:
    ids = await queue.submit_group(Task(name=f"{KIT}.add", args=[n, n]) for n in range(3))
    assert [await queue.wait_for_result(each) for each in ids] == [0, 2, 4]


async def test_a_chord_calls_back_with_all_results(queue: CeleryQueueAdapter, module_worker: Any) -> None:
    tasks = [Task(name=f"{KIT}.add", args=[n, n]) for n in range(3)]
    ids, last = await queue.submit_chord(tasks, Task(name=f"{KIT}.echo", args=["and this"]))
    assert await queue.wait_for_result(last) == {"args": [[0, 2, 4], "and this"], "kwargs": {}}
    assert len(ids) == 3
    with pytest.raises(InvalidTask):
        await queue.submit_chord([], Task(name=f"{KIT}.echo"))


async def test_a_task_for_much_later_is_parked_until_its_time_is_near(
    config: dict[str, Any], own_valkey: Any, serve: Any
) -> None:
    """No worker holds it meanwhile, so none gets it twice."""
    config = {"broker_url": own_valkey.url, "visibility_timeout": 2}
    async with CeleryQueueAdapter(config) as queue, serve({"broker_url": own_valkey.url}):
        start = time.time()
        task_id = await queue.submit_task(f"{KIT}.now", delay=4)
        far = await queue.submit_task(f"{KIT}.now", delay=10**8)
        assert own_valkey.client.zcard(scripts.SCHEDULE) == 2
        assert (await queue.get_task_status(task_id))["state"] is TaskState.SCHEDULED
        assert await queue.cancel_task(far) is CancelOutcome.PREVENTED
        assert await queue.wait_for_result(task_id) >= start + 4
        assert own_valkey.client.zcard(scripts.SCHEDULE) == own_valkey.client.hlen(scripts.PARKED) == 0


async def test_a_task_that_knows_no_engine_reports_its_progress(
    queue: CeleryQueueAdapter, module_worker: Any, tmp_path: Path, until: Any
) -> None:
    release = tmp_path / "release"
    task_id = await queue.submit_task("tests.report", [{"done": 1}, str(release)])
    status: Any = {}

    async def reports() -> bool:
        status.update(await queue.get_task_status(task_id))
        return "progress" in status

    await until(reports)
    assert (status["state"], status["progress"]) == (TaskState.RUNNING, {"done": 1})
    release.touch()
    assert await queue.wait_for_result(task_id) == "released"


async def test_health_tells_how_many_workers_are_connected(own_valkey: Any, serve: Any) -> None:
    config = {"broker_url": own_valkey.url}
    async with CeleryQueueAdapter(config) as queue:
        assert (await queue.health()).detail == "No workers connected."
        async with serve(config):
            assert (await queue.health()).detail == "1 worker connected."


async def test_an_embedded_server_is_shared_with_workers(tmp_path: Path, serve: Any) -> None:
    config = {"broker_url": f"embedded://{tmp_path}/home", "timeout": 30}
    async with CeleryQueueAdapter(config) as queue:
        async with serve(config):
            task_id = await queue.submit_task(f"{KIT}.add", [1, 2])
            assert await queue.wait_for_result(task_id) == 3
        kept = await queue.submit_task(f"{KIT}.add", [1, 2])
    async with CeleryQueueAdapter(config) as queue:
        assert (await queue.get_task_status(kept))["state"] is TaskState.QUEUED
        assert await queue.queue_depth() == 1
    assert CeleryQueueAdapter({"broker_url": "embedded://"}).settings.lacks() == {"durable"}
    assert CeleryQueueAdapter(config).settings.lacks() == frozenset()


@pytest.mark.parametrize(
    ("application", "said"),
    [
        ("nothing_here:app", "no module nothing_here"),
        ("served_tasks:nothing", "has no nothing"),
        ("json:loads", "no Celery"),
    ],
)
def test_the_worker_says_what_is_wrong_with_an_application(application: str, said: str) -> None:
    command = [sys.executable, "-m", "oneiric_celery", "worker", application]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=HERE)
    assert ran.returncode == 2
    assert said in " ".join(ran.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--instance", "jbs"), "Did you mean `jobs`?"),
        (("--instance", "other"), "is of the adapter `sqlite`, and not of `celery`"),
        (("--instance", "bad"), "`broker_url`: begins with none of"),
        (("--instance", "jobs", "--broker", "redis://x/0"), "Say --instance, or --broker"),
    ],
)
def test_the_worker_says_what_is_wrong_with_an_instance(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    (tmp_path / "oneiric.yaml").write_text(
        "adapters:\n  jobs: {adapter: celery, broker_url: redis://x/0}\n  other: {adapter: sqlite}\n"
        "  bad: {adapter: celery, broker_url: https://x}\n"
    )
    command = [sys.executable, "-m", "oneiric_celery", "worker", "served_tasks:app", *options]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path, env=environment
    )
    assert ran.returncode == 2, ran.stderr
    assert said in " ".join(ran.stderr.replace("│", " ").split())
