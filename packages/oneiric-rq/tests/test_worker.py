"""`oneiric-rq worker`: what it runs, what it refuses, and what becomes of a task whose worker is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import Task, TaskState
from oneiric.errors import ConfigError, TaskFailed
from oneiric.testing.patience import PATIENCE, until
from oneiric_rq.cli import app as command_line
from oneiric_rq.conformance import RqWorker, kit
from oneiric_rq.worker.tasks import Tasks, UnlistedTask
from rq import Callback
from rq.webhook import Webhook
from typer.testing import CliRunner

if TYPE_CHECKING:
    from oneiric.testing.valkey import ValkeyServer
    from oneiric_rq import RedisQueueAdapter
    from redis import Redis
    from rq import Queue

APP = """
import os
from os import system
from json import dumps as to_json

class Helper:
    def __call__(self): ...

def greet(name):
    _private()
    return f"Hello {name}"

async def later():
    return "async"

def _private():
    from oneiric.adapters.queue import report_progress
    report_progress({"done": 1})

constant = 3
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of an application, by its name."""
    name = f"app_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return name


@pytest.mark.parametrize("ending", ["", ".*"])
def test_the_tasks_of_a_module_are_its_own_public_functions(app: str, ending: str) -> None:
    tasks = Tasks.listed([f"{app}{ending}"])
    assert len(tasks) == 2
    assert tasks[f"{app}.greet"]("you") == "Hello you"
    for name in ("system", "to_json", "os", "os.system", "Helper", "_private", "constant", "nothing", "greet.x"):
        with pytest.raises(UnlistedTask):
            tasks[f"{app}.{name}"]


def test_a_function_can_be_listed_alone(app: str) -> None:
    tasks = Tasks.listed([f"{app}.greet"])
    assert len(tasks) == 1
    with pytest.raises(UnlistedTask):
        tasks[f"{app}.later"]


@pytest.mark.parametrize("name", ["no_such_module", "json.nothing", "", ".", "json.*.x", "a b", "sys", "os.path."])
def test_what_is_no_task_is_a_config_error_at_the_start(name: str) -> None:
    with pytest.raises(ConfigError):
        Tasks.listed([name])


def test_a_module_that_raises_says_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_tasks.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        Tasks.listed(["broken_tasks"])


async def test_it_runs_plain_functions_of_an_application(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str, app: str
) -> None:
    worker = RqWorker(server.url, name, allow=(app,))
    try:
        greeted = await adapter.submit_task(f"{app}.greet", ["you"])
        awaited = await adapter.submit_task(f"{app}.later")
        assert await adapter.wait_for_result(greeted) == "Hello you"
        assert (await adapter.get_task_status(greeted))["progress"] == {"done": 1}
        assert await adapter.wait_for_result(awaited) == "async"
    finally:
        worker.stop()


async def test_what_is_not_listed_is_never_imported(
    adapter: RedisQueueAdapter,
    server: ValkeyServer,
    plain: Queue,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither as a task nor as a callback, whoever has put its name there."""
    trace = tmp_path / "imported"
    (tmp_path / "trap.py").write_text(f"open({str(trace)!r}, 'w')\ndef run(*args): ...\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = RqWorker(server.url, name)
    try:
        named = await adapter.submit_task("trap.run")
        on_success = plain.enqueue(kit("nothing"), on_success=Callback("trap.run")).id
        on_failure = plain.enqueue(kit("fail"), "x", on_failure=Callback("trap.run")).id
        method = _with_instance(plain)
        for task_id in (named, on_success, on_failure, method):
            with pytest.raises(TaskFailed) as caught:
                await adapter.wait_for_result(task_id)
            assert "UnlistedTask" in (caught.value.error or ""), task_id
    finally:
        worker.stop()
    assert not [path for path in _files(tmp_path) if path.name == "imported"]


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def _with_instance(queue: Queue) -> str:
    """A job that names a method of an object in its data, as pickled ones can."""
    job = queue.create_job("upper")
    job._data = json.dumps(["upper", "text", [], {}]).encode()
    assert zlib.compress(job._data)
    queue.enqueue_job(job)
    return job.id


async def test_it_calls_no_webhook(adapter: RedisQueueAdapter, server: ValkeyServer, plain: Queue, name: str) -> None:
    """Whoever can submit a task could make the worker's machine call any address."""
    called = []

    async def answer(reader: Any, writer: Any) -> None:
        called.append(await reader.readline())
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    worker = RqWorker(server.url, name)
    try:
        job = plain.enqueue(kit("nothing"), webhooks=[Webhook(f"http://127.0.0.1:{port}", "finished")])
        assert await adapter.wait_for_result(job.id) is None
        assert await adapter.wait_for_result(await adapter.submit_task(kit("add"), [1, 2])) == 3
    finally:
        worker.stop()
        listener.close()
    assert called == []


async def test_it_serves_several_queues_the_first_one_first_and_leaves_nothing_taken(
    adapter: RedisQueueAdapter, server: ValkeyServer, client: Redis, name: str, tmp_path: Path
) -> None:
    ledger = str(tmp_path / "ledger")
    ids = [
        await adapter.submit_task(kit("note"), [ledger, queue], queue=f"{name}-{queue}")
        for queue in ("low", "high", "low", "high")
    ]
    worker = RqWorker(server.url, f"{name}-high", f"{name}-low")
    try:
        for task_id in ids:
            await adapter.wait_for_result(task_id)
    finally:
        worker.stop()
    assert read(ledger).split() == ["high", "high", "low", "low"]
    assert client.keys(f"rq:queue:{name}*") == []


@pytest.mark.parametrize("queues", [1, 2])
async def test_a_task_whose_worker_is_killed_is_run_again_if_it_may_be_and_fails_otherwise(
    adapter: RedisQueueAdapter, server: ValkeyServer, client: Redis, name: str, tmp_path: Path, queues: int
) -> None:
    """And its process ends with the worker's, so that it never runs twice at a time."""
    served = [name, f"{name}-other"][:queues]
    again, once = tmp_path / "again", tmp_path / "once"
    first, second = (RqWorker(server.url, *served, recover_after=3) for _ in range(2))
    may = await adapter.submit_task(kit("hold"), [str(again)], max_retries=1)
    may_not = await adapter.submit_task(kit("hold"), [str(once)])
    started = [path.with_name(f"{path.name}.log") for path in (again, once)]
    await until(lambda: all(log.exists() for log in started), "Two workers run two tasks.")
    for worker in (first, second):
        worker.kill()
    third = RqWorker(server.url, *served, recover_after=3)
    try:
        again.touch()
        once.touch()
        assert await adapter.wait_for_result(may, timeout=PATIENCE) == "released"
        with pytest.raises(TaskFailed, match="Abandoned"):
            await adapter.wait_for_result(may_not, timeout=PATIENCE)
        assert (await adapter.get_task_status(may))["retries"] == 1
    finally:
        third.stop()
    assert read(started[0]).split() == ["started", "started", "ended"]
    assert read(started[1]).split() == ["started"], "The task has gone on after its worker was killed."


@pytest.mark.parametrize("queues", [1, 2])
async def test_a_task_that_was_taken_and_not_begun_is_put_back(
    adapter: RedisQueueAdapter, server: ValkeyServer, client: Redis, name: str, queues: int
) -> None:
    """A worker that is killed in between leaves it so. It has not begun, so it needs no retries."""
    task_id = await adapter.submit_task(kit("add"), [1, 2])
    client.lmove(f"rq:queue:{name}", f"rq:queue:{name}:intermediate")
    assert await adapter.queue_depth() == 0
    worker = RqWorker(server.url, *[name, f"{name}-other"][:queues], recover_after=3)
    try:
        assert await adapter.wait_for_result(task_id, timeout=PATIENCE) == 3
    finally:
        worker.stop()


async def test_what_is_left_of_a_task_that_has_ended_is_not_taken_for_one_that_was_not_begun(
    adapter: RedisQueueAdapter, server: ValkeyServer, client: Redis, name: str, tmp_path: Path
) -> None:
    """RQ would fail it, or run it again."""
    ledger = str(tmp_path / "ledger")
    worker = RqWorker(server.url, name, recover_after=3)
    try:
        task_id = await adapter.submit_task(kit("note"), [ledger, "ran"], max_retries=3)
        await adapter.wait_for_result(task_id)
        client.rpush(f"rq:queue:{name}:intermediate", task_id)

        def is_gone() -> bool:
            return not client.exists(f"rq:queue:{name}:intermediate")

        await until(is_gone, "An id of a task that has ended stays among those that were taken.")
        assert (await adapter.get_task_status(task_id))["state"] is TaskState.SUCCEEDED
    finally:
        worker.stop()
    assert read(ledger) == "ran\n"


async def test_a_worker_that_is_killed_leaves_no_process_and_is_not_listed(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str, tmp_path: Path
) -> None:
    worker = RqWorker(server.url, name)
    held = tmp_path / "held"
    task_id = await adapter.submit_task(kit("hold"), [str(held)])
    await until(lambda: (tmp_path / "held.log").exists(), "The worker runs the task.")
    (info,) = [each for each in await adapter.list_workers() if name in each["queues"]]
    assert info["running"] == [task_id]
    assert "worker" in (await adapter.health()).detail
    children = _children(worker.pid)
    assert len(children) == 2, "The task's process, and the scheduler's."
    worker.kill()
    await until(lambda: not any(map(_is_there, children)), "They end with the worker.")

    async def is_unlisted() -> bool:
        return not [each for each in await adapter.list_workers() if name in each["queues"]]

    await until(is_unlisted, "A worker that was killed is listed as one that answers.")
    held.touch()


def read(path: Path | str) -> str:
    return Path(path).read_text()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_worker_that_is_asked_to_stop_finishes_its_task(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str, tmp_path: Path
) -> None:
    worker = RqWorker(server.url, name)
    task_id = await adapter.submit_task(kit("hold"), [str(tmp_path / "held")])
    await until(lambda: (tmp_path / "held.log").exists(), "The worker runs the task.")
    os.kill(worker.pid, signal.SIGTERM)
    (tmp_path / "held").touch()
    assert await adapter.wait_for_result(task_id) == "released"
    worker.stop()


async def test_a_killed_task_alone_is_retried_by_its_worker_at_once(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str, tmp_path: Path
) -> None:
    """The worker sees that the process of its task has ended."""
    worker = RqWorker(server.url, name)
    try:
        task_id = await adapter.submit_task(kit("hold"), [str(tmp_path / "held")], max_retries=1)
        log = tmp_path / "held.log"
        await until(log.exists, "The worker runs the task.")
        for child in _children(worker.pid):
            if _is_horse(child):
                os.kill(child, signal.SIGKILL)
        await until(lambda: log.read_text().split() == ["started"] * 2, "The task is run again.")
        (tmp_path / "held").touch()
        assert await adapter.wait_for_result(task_id) == "released"
    finally:
        worker.stop()


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _is_horse(pid: int) -> bool:
    """Whether it leads a group of processes of its own, as the process of a task does."""
    return os.getpgid(pid) == pid


async def test_a_batch_is_run_in_the_order_of_its_tasks(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str, tmp_path: Path
) -> None:
    ledger = str(tmp_path / "ledger")
    ids = await adapter.submit_many(Task(name=kit("note"), args=[ledger, str(n)]) for n in range(10))
    worker = RqWorker(server.url, name)
    try:
        for task_id in ids:
            await adapter.wait_for_result(task_id)
    finally:
        worker.stop()
    assert read(ledger).split() == [str(n) for n in range(10)]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oneiric_rq", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)


def test_the_command_says_what_is_wrong_in_a_sentence(
    server: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the command puts the folder that it runs in first
    config = tmp_path / "oneiric.yaml"
    config.write_text("adapters:\n  rq:\n    url: redis://u:hunter2@127.0.0.1:1/0\n  db:\n    adapter: sqlite\n")
    wrong = {
        ("--url", server.url): "No task is listed",
        ("--url", "http://u:hunter2@x", "--allow", "json"): "begins with none of",
        ("--url", server.url, "--allow", "no.such"): "neither a module nor a function",
        ("--instance", "db", "--config", str(config)): "and not of `rq`",
        ("--instance", "nope", "--config", str(config)): "No instance 'nope' is configured",
        ("--config", str(config), "--allow", kit("add")): "can't be reached",
    }
    for arguments, sentence in wrong.items():
        done = CliRunner().invoke(command_line, ["worker", *arguments])
        assert done.exit_code == 2, (arguments, done.output)
        assert sentence in done.stderr
        assert "Traceback" not in done.output
        assert "hunter2" not in done.output


async def test_the_command_takes_an_instance_of_the_config(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str, tmp_path: Path
) -> None:
    """With its queue, its tasks and its references."""
    config = tmp_path / "oneiric.yaml"
    config.write_text(f"adapters:\n  rq:\n    url: {{$env: BROKER}}\n    queue: {name}\n    tasks: [{kit('add')}]\n")
    task_id = await adapter.submit_task(kit("add"), [1, 2])
    done = run("worker", "--burst", cwd=tmp_path, env={**os.environ, "BROKER": server.url})
    assert done.returncode == 0, done.stderr
    assert await adapter.wait_for_result(task_id) == 3
