"""No accepted task is lost, whoever is killed. `--tasks 2000 --kills 15` for the whole of it, `-s` for what it counts."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue import FINAL, Task, TaskState
from oneiric.errors import OneiricError
from oneiric.testing.patience import PATIENCE
from oneiric_rq import RedisQueueAdapter
from oneiric_rq.conformance import RqWorker, kit

if TYPE_CHECKING:
    import pytest
    from oneiric.adapters.queue import TaskStatus
    from oneiric.testing.valkey import ValkeyServer

WORKERS = 3
RECOVER_AFTER = 3
RETRIES = 50
"""More than one task can have bad luck."""


class Ledger:
    """Who has run, and how often."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def ran(self) -> Counter[str]:
        path = Path(self.path)
        return Counter(path.read_text().split()) if path.exists() else Counter()


def tasks(ledger: Ledger, queue: str, numbers: range) -> list[Task]:
    """Every third one may not be run again: it fails where its worker is killed."""
    return [
        Task(
            name=kit("note"),
            args=[ledger.path, f"{queue}-{n}"],
            queue=queue,
            task_id=f"{queue}-{n}",
            max_retries=RETRIES if n % 3 else None,
        )
        for n in numbers
    ]


async def all_ended(adapter: RedisQueueAdapter, ids: list[str], patience: float) -> dict[str, TaskStatus]:
    """Wait until each has ended; fails with those that have not."""
    ended: dict[str, TaskStatus] = {}
    async with asyncio.timeout(patience):
        while len(ended) < len(ids):
            for task_id in set(ids) - set(ended):
                status = await adapter.get_task_status(task_id)
                if status["state"] in FINAL:
                    ended[task_id] = status
            await asyncio.sleep(0.2)
    return ended


def judge(ended: dict[str, TaskStatus], ran: Counter[str]) -> str:
    """What became of all; raises where one is not as the ledger has it."""
    for task_id, status in ended.items():
        if status["state"] is TaskState.SUCCEEDED:
            assert ran[task_id] >= 1, f"{task_id} has succeeded, and has not run."
        else:
            assert status["state"] is TaskState.FAILED
            assert status["error"], f"{task_id} has failed without a reason."
    states = Counter(status["state"].value for status in ended.values())
    twice = sum(count - 1 for count in ran.values())
    return f"{dict(states)}, {twice} run once more than needed"


async def test_tasks_survive_workers_that_are_killed(
    server: ValkeyServer, name: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Each ends as the ledger has it, or has failed with a reason; what has run twice is counted."""
    number, kills = pytestconfig.getoption("--tasks", 300), pytestconfig.getoption("--kills", 5)
    ledger, chance = Ledger(tmp_path / "ledger"), random.Random(number)

    def start() -> RqWorker:
        return RqWorker(server.url, name, recover_after=RECOVER_AFTER)

    workers = [start() for _ in range(WORKERS)]
    try:
        async with RedisQueueAdapter({"url": server.url}) as adapter:
            ids: list[str] = []
            for kill in range(kills):
                part = range(kill * number // kills, (kill + 1) * number // kills)
                ids += await adapter.submit_many(tasks(ledger, name, part))
                await _run(ledger, len(ids) - len(part) // 2)
                await asyncio.sleep(chance.random() * 0.05)
                victim = workers.pop(chance.randrange(len(workers)))
                victim.kill()
                workers.append(start())
            ended = await all_ended(adapter, ids, 4 * PATIENCE)
            assert len(ids) == len(ended) == number
            assert await adapter.queue_depth(name) == 0
    finally:
        for worker in workers:
            worker.kill()
    print(f"{number} tasks, {kills} workers killed: {judge(ended, ledger.ran())}.")


async def _run(ledger: Ledger, number: int) -> None:
    """Wait until about so many tasks have run, or no more do: all workers may be recovering."""
    before, unchanged = -1, 0
    while len(now := ledger.ran()) < number and unchanged < 20:
        unchanged = unchanged + 1 if len(now) == before else 0
        before = len(now)
        await asyncio.sleep(0.1)


async def test_no_accepted_task_is_lost_when_the_broker_is_killed(
    own_server: ValkeyServer, name: str, tmp_path: Path
) -> None:
    """With an append-only file that is written before it answers. What had no answer is submitted again, by its id."""
    ledger = Ledger(tmp_path / "ledger")
    wanted = tasks(ledger, name, range(100))
    workers = [RqWorker(own_server.url, name, recover_after=RECOVER_AFTER) for _ in range(2)]
    try:
        async with RedisQueueAdapter({"url": own_server.url, "timeout": 2}) as adapter:
            submitting = asyncio.create_task(_submit_all(adapter, wanted))
            for _ in range(2):
                await _run(ledger, len(ledger.ran()) + 10)
                own_server.kill()
                await asyncio.to_thread(own_server.start)
            ids = await submitting
            ended = await _whatever_the_network_does(all_ended, adapter, ids)
    finally:
        for worker in workers:
            worker.kill()
    ran = ledger.ran()
    print(f"{len(ids)} tasks, the broker killed twice: {judge(ended, ran)}.")
    assert set(ended) == {task.task_id for task in wanted}


async def _submit_all(adapter: RedisQueueAdapter, wanted: list[Task]) -> list[str]:
    accepted: list[str] = []
    for task in wanted:
        while len(accepted) < len(wanted):
            try:
                accepted += await adapter.submit_many([task])
                break
            except OneiricError as error:
                if not error.transient:
                    raise
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.01)
    return accepted


async def _whatever_the_network_does(wait: Any, adapter: RedisQueueAdapter, ids: list[str]) -> dict[str, TaskStatus]:
    while True:
        try:
            ended: dict[str, TaskStatus] = await wait(adapter, ids, 2 * PATIENCE)
            return ended
        except OneiricError as error:
            if not error.transient or isinstance(error, TimeoutError):
                raise
            await asyncio.sleep(0.1)
