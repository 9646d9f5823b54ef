"""docs/production.md: its units, its image and its program, taken through their lives on servers from wheels."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from configs import problems
from oneiric import AdapterManager, ConfigStore, Limits
from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.messaging import MessageAdapter
from oneiric.adapters.queue import QueueAdapter
from oneiric.config import resolved, schemes_of
from oneiric_sqlite import SqliteAdapter
from walkthrough import File, check, steps, untold, write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAGE = (Path(__file__).parent.parent.parent / "docs" / "production.md").read_text(encoding="utf-8")
VENV = "/opt/orders/.venv/bin/"
HOLD = """

def hold(path):
    import time
    while not Path(path).exists():
        time.sleep(0.02)
    return "held"
"""


@pytest.fixture
def installed(folder: Path) -> Path:
    write(PAGE, folder)
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The config of the page, but of servers from wheels: other URLs, and no passwords."""
    (text,) = (step.text for step in steps(PAGE) if isinstance(step, File) and step.path == "oneiric.yaml")
    text = re.sub(r"postgresql://\S+", f"embedded://{tmp_path}/home/orders", text)
    text = re.sub(r"rediss://\S+", f"embedded://{tmp_path}/home/broker", text)
    file = tmp_path / "laptop.yaml"
    file.write_text(re.sub(r" +password: .*\n", "", text), encoding="utf-8")
    return file


@pytest.fixture
def reached(config: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment of a machine that reaches those."""
    return environment | {"ONEIRIC_CONFIG": str(config)}


def unit(file: Path) -> dict[str, list[str]]:
    """What a unit says, by key."""
    said = defaultdict(list)
    for line in file.read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            said[key].append(value)
    return said


def started(command: str, folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    assert command.startswith(VENV)
    program, *arguments = shlex.split(command)
    here = Path(sys.executable).parent / program.removeprefix(VENV)
    return subprocess.Popen(
        [str(here), *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - it is another process's doing
            await asyncio.sleep(0.05)


def test_each_config_is_right_and_nothing_is_shown_that_is_not_tested(installed: Path) -> None:
    assert problems(installed / "oneiric.yaml") == []
    assert problems(installed / "pgbouncer.yaml") == []
    assert untold(PAGE) == []


def test_migrations_are_applied_once(folder: Path, reached: dict[str, str]) -> None:
    check(PAGE, folder, reached)


async def test_what_the_units_start_works_and_ends_in_order(
    installed: Path, config: Path, reached: dict[str, str]
) -> None:
    with (installed / "tasks.py").open("a") as tasks:
        tasks.write(HOLD)
    service, working = unit(installed / "orders.service"), unit(installed / "orders-worker@.service")
    migration = started(service["ExecStartPre"][0], installed, reached)
    said, _ = migration.communicate(timeout=60)
    assert migration.returncode == 0, said
    application = started(service["ExecStart"][0], installed, reached)
    worker = started(working["ExecStart"][0], installed, reached)
    try:
        async with AdapterManager(ConfigStore.load(config, environ={})) as adapters:
            db = await adapters.get("orders", DatabaseAdapter)
            queue = await adapters.get("work", QueueAdapter)
            events = await adapters.get("events", MessageAdapter)
            for _ in range(2):  # as a message that comes twice
                await events.publish("orders", {"id": 1, "item": "tea"})

            async def is_packed() -> bool:
                return (await queue.get_task_status("pack-1"))["state"] == "succeeded"

            await until(is_packed)
            assert (installed / "tea.packed").exists()
            assert await db.fetch_value("select count(*) from orders") == 1

            application.send_signal(signal.SIGTERM)
            said, _ = await asyncio.to_thread(application.communicate, timeout=60)
            assert (application.returncode, "Everything is cleaned up." in said) == (0, True), said

            release = installed / "release"
            task = await queue.submit_task("tasks.hold", [str(release)])

            async def is_running() -> bool:
                return (await queue.get_task_status(task))["state"] == "running"

            await until(is_running)
            worker.send_signal(signal.SIGTERM)  # to it alone: KillMode=mixed
            release.touch()
            assert await queue.wait_for_result(task, timeout=40) == "held"
            await asyncio.to_thread(worker.communicate, timeout=60)
            assert worker.returncode == 0
    finally:
        for process in (application, worker):
            process.kill()
            process.communicate()


def test_the_units_give_more_time_than_an_orderly_end_takes(installed: Path) -> None:
    service, working = unit(installed / "orders.service"), unit(installed / "orders-worker@.service")
    match = re.search(r"drain_timeout=(\d+)", PAGE)
    assert match
    limits, adapters = Limits(), len(ConfigStore.load(installed / "oneiric.yaml", environ={}))
    longest = int(match[1]) + adapters * limits.cleanup_timeout + limits.init_timeout
    assert int(service["TimeoutStopSec"][0]) > longest
    assert working["KillMode"] == ["mixed"]


def test_the_credential_of_the_unit_is_the_password(installed: Path, tmp_path: Path) -> None:
    service = unit(installed / "orders.service")
    name, _, _ = service["LoadCredential"][0].partition(":")
    (tmp_path / name).write_text("hunter2\n")
    variable, _, value = shlex.split(service["Environment"][0])[0].partition("=")
    store = ConfigStore.load(installed / "oneiric.yaml", environ={variable: value.replace("%d", str(tmp_path))})
    assert resolved(store["orders"].values, schemes_of(None, {}))["password"] == "hunter2"


def test_the_image_has_what_it_runs(installed: Path, environment: dict[str, str]) -> None:
    lines = (installed / "Dockerfile").read_text().splitlines()
    said = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
    subprocess.run(["bash", "-c", said["RUN"]], env=environment, check=True)
    copied = [part for line in lines if line.startswith("COPY") for part in line.split()[1:-1]]
    assert [part for part in copied if not (installed / part).exists()] == []
    command = json.loads(said["CMD"])
    assert unit(installed / "orders.service")["ExecStart"][0].endswith(" ".join(command))
    assert command[1] in copied


async def test_the_backup_has_what_was_committed_while_the_database_is_in_use(
    installed: Path, environment: dict[str, str]
) -> None:
    async with SqliteAdapter({"path": str(installed / "notes.db")}) as db:
        await db.execute("create table notes (text text)")
        await db.execute("insert into notes values ($1)", "tea")
        backing = await asyncio.create_subprocess_exec(sys.executable, "backup.py", cwd=installed, env=environment)
        assert await backing.wait() == 0
    with sqlite3.connect(installed / "backup.db") as backup:
        assert backup.execute("select text from notes").fetchall() == [("tea",)]
    backup.close()
