"""What is accepted is run: workers and brokers that are killed at random lose no task.

`ONEIRIC_LOSS=2000x15` is the long form: so many tasks, and so many workers killed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import FINAL, Task, TaskState
from oneiric.errors import ConnectionFailed, DeadlineExceeded
from oneiric_celery import CeleryQueueAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS, KILLS = map(int, os.environ.get("ONEIRIC_LOSS", "300x5").split("x"))
OPTIONS = ("--visibility-timeout", "2")
WITHIN = 60 + TASKS * 0.2
pytestmark = pytest.mark.timeout(WITHIN + 60)


async def _all_ended(queue: Any, ids: list[str]) -> dict[str, Any]:
    statuses: dict[str, Any] = {}
    async with asyncio.timeout(WITHIN):
        while len(statuses) < len(ids):
            for task_id in ids:
                if task_id not in statuses:
                    status = await queue.get_task_status(task_id)
                    if status["state"] in FINAL:
                        statuses[task_id] = status
            await asyncio.sleep(0.05)
    return statuses


def _check(statuses: dict[str, Any], ids: list[str], ledger: Path, what: str) -> None:
    """Each has ended, as the ledger says; how often tasks were run twice is printed."""
    runs = Counter(ledger.read_text().split())
    for number, task_id in enumerate(ids):
        status = statuses[task_id]
        if status["state"] is TaskState.SUCCEEDED:
            assert runs[str(number)], f"Task {number} has succeeded, and the ledger doesn't know it."
        else:
            assert status.get("error"), f"Task {number} is {status['state']} without a reason."
    twice = sum(count - 1 for count in runs.values())
    ended = Counter(status["state"].value for status in statuses.values())
    print(f"\n{what}: {len(ids)} tasks, {dict(ended)}, {twice} runs more than tasks")


async def test_workers_that_are_killed_at_random_lose_no_task(
    own_valkey: Any, start_worker: Callable[..., Any], tmp_path: Path
) -> None:
    ledger, chance = tmp_path / "ledger", random.Random(7)
    async with CeleryQueueAdapter({"broker_url": own_valkey.url, "visibility_timeout": 2}) as queue:
        workers = [start_worker(own_valkey.url, options=OPTIONS) for _ in range(2)]
        ids = await queue.submit_many(Task(name="tests.work", args=[str(ledger), str(n), 0.01]) for n in range(TASKS))
        for kill in range(KILLS):
            done = TASKS * (kill + 1) // (KILLS + 2)
            async with asyncio.timeout(WITHIN):
                while not ledger.exists() or len(ledger.read_text().split()) < done:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            await asyncio.sleep(chance.random() * 0.1)
            victim = chance.randrange(len(workers))
            workers[victim].kill()
            workers[victim] = start_worker(own_valkey.url, options=OPTIONS)
        statuses = await _all_ended(queue, ids)
    _check(statuses, ids, ledger, f"{KILLS} workers killed")


async def test_a_process_of_the_pool_that_is_killed_gives_its_task_back(
    own_valkey: Any, serve: Callable[..., Any], tmp_path: Path, until: Callable[..., Any]
) -> None:
    """The worker itself goes on."""
    config, hold = {"broker_url": own_valkey.url}, tmp_path / "hold"
    async with serve(config) as worker, CeleryQueueAdapter(config) as queue:
        task_id = await queue.submit_task("oneiric.testing.queue.tasks.hold", [str(hold)])
        log = tmp_path / "hold.log"
        await until(log.exists)
        children = await asyncio.to_thread(_children, worker.pid)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        await until(lambda: log.read_text().split().count("started") == 2)
        hold.touch()
        assert await queue.wait_for_result(task_id, timeout=30) == "released"


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


async def test_a_broker_that_is_killed_and_started_again_loses_no_accepted_task(
    own_valkey: Any, start_worker: Callable[..., Any], tmp_path: Path
) -> None:
    """Each submit that has returned is a task that runs; one that has failed can be made again with its id."""
    ledger, ids = tmp_path / "ledger", []
    number = TASKS // 3
    async with CeleryQueueAdapter({"broker_url": own_valkey.url, "timeout": 2}) as queue:
        start_worker(own_valkey.url, options=OPTIONS)

        async def submit_all() -> None:
            for n in range(number):
                while True:
                    try:
                        ids.append(
                            await queue.submit_task("tests.work", [str(ledger), str(n), 0.005], task_id=f"task-{n}")
                        )
                        break
                    except (ConnectionFailed, DeadlineExceeded):
                        await asyncio.sleep(0.02)

        submitting = asyncio.create_task(submit_all())
        for part in (1, 2, 3):
            while len(ids) < number * part // 4 and not submitting.done():  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            own_valkey.kill()
            await asyncio.to_thread(own_valkey.start)
        await submitting
        statuses = await _all_ended_again(queue, ids)
    _check(statuses, ids, ledger, "A broker killed 3 times")


async def _all_ended_again(queue: Any, ids: list[str]) -> dict[str, Any]:
    while True:
        try:
            return await _all_ended(queue, ids)
        except (ConnectionFailed, DeadlineExceeded):
            await asyncio.sleep(0.1)
