"""Tasks that are submitted again and again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConfigError
from oneiric.testing.patience import PATIENCE, until
from oneiric.testing.proxy import Fault, FaultProxy
from oneiric_rq import RedisQueueAdapter
from redis import Redis
from rq.job import Job

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.testing.valkey import ValkeyServer
    from rq import Queue

EACH_SECOND = "* * * * * *"


def ids(client: Redis, name: str) -> list[str]:
    return [task_id.decode() for task_id in client.lrange(f"rq:queue:{name}", 0, -1)]


async def test_each_time_is_submitted_once_however_many_run_the_schedule(
    server: ValkeyServer, client: Redis, plain: Queue, name: str
) -> None:
    entry = {"task": "app.tidy", "cron": EACH_SECOND, "args": [1], "kwargs": {"a": 2}, "max_retries": 3}
    config: dict[str, Any] = {"url": server.url, "queue": name, "schedule": {name: entry}}
    async with RedisQueueAdapter(config) as one, RedisQueueAdapter(config) as other:
        running = [asyncio.create_task(adapter.run_schedule()) for adapter in (one, other, one)]
        await until(lambda: len(ids(client, name)) >= 3, "A task of each second is submitted.")
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    times = [int(task_id.rpartition("-")[2]) for task_id in ids(client, name)]
    assert times == list(range(times[0], times[0] + len(times)))
    job = plain.jobs[0]
    assert (job.func_name, job.args, job.kwargs, job.retries_left) == ("app.tidy", [1], {"a": 2}, 3)


async def test_it_goes_on_when_the_broker_is_there_again(server: ValkeyServer, client: Redis, name: str) -> None:
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        config = {"url": f"redis://{proxy.host}:{proxy.port}", "queue": name, "timeout": 1}
        schedule = {name: {"task": "f", "cron": EACH_SECOND}}
        async with RedisQueueAdapter({**config, "schedule": schedule}) as adapter:
            running = asyncio.create_task(adapter.run_schedule())
            await until(lambda: bool(ids(client, name)), "A task of each second is submitted.")
            await proxy.fail(Fault.REFUSED)
            await asyncio.sleep(0.5)
            before = len(ids(client, name))
            await proxy.fail(Fault.NONE)
            await until(lambda: len(ids(client, name)) > before, "The schedule goes on after the network has failed.")
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("cron", ["61 * * * *", "a b c d e", "* * * * 9-1-1"])
async def test_a_time_that_can_not_be_is_said(server: ValkeyServer, cron: str) -> None:
    async with RedisQueueAdapter({"url": server.url, "schedule": {"x": {"task": "f", "cron": cron}}}) as adapter:
        with pytest.raises(ConfigError, match=r"schedule\.x\.cron"):
            await adapter.run_schedule()


@pytest.mark.parametrize("entry", [{"cron": "* * * * *"}, {"task": "f", "cron": "hourly"}, {"task": "f", "crom": "x"}])
def test_what_lacks_something_is_refused_at_once(entry: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RedisQueueAdapter({"url": "redis://h", "schedule": {"x": entry}})


def test_the_command_runs_the_schedule_of_an_instance(server: ValkeyServer, name: str, tmp_path: Path) -> None:
    config = f"adapters:\n  rq:\n    url: {server.url}\n    queue: {name}\n"
    (tmp_path / "oneiric.yaml").write_text(f"{config}    schedule: {{tidy: {{task: f, cron: '{EACH_SECOND}'}}}}\n")
    process = subprocess.Popen([sys.executable, "-m", "oneiric_rq", "schedule"], cwd=tmp_path, env=dict(os.environ))
    try:
        with Redis.from_url(server.url, socket_timeout=2 * PATIENCE) as client:
            _, task_id = client.blpop([f"rq:queue:{name}"], timeout=PATIENCE) or (b"", b"nothing was submitted")
            assert task_id.startswith(b"tidy-")
            assert Job.exists(task_id.decode(), client)
    finally:
        process.terminate()
        process.wait(PATIENCE)
    (tmp_path / "oneiric.yaml").write_text(config)
    done = subprocess.run(
        [sys.executable, "-m", "oneiric_rq", "schedule"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "has no `schedule`" in done.stderr
