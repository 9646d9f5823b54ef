"""A worker's process ends with its block, whatever it does, and whoever is cancelled."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest
from oneiric.adapters.queue import worker_process
from oneiric.adapters.queue.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEGUN = "pathlib.Path(sys.argv[1]).touch()"
WORKS = f"import pathlib, sys, time; {BEGUN}; time.sleep(60)"
ENDS_ITS_TASK = f"""
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(sys.argv[1] + "-ended").touch(), sys.exit()))
{BEGUN}
time.sleep(60)
"""
WILL_NOT_END = (
    f"import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {BEGUN}; time.sleep(60)"
)


@pytest.fixture
def work(tmp_path: Path) -> Callable[[str], WorkerProcess]:
    return lambda program: WorkerProcess([sys.executable, "-c", program, str(tmp_path / "begun")])


async def begun(tmp_path: Path) -> None:
    async with asyncio.timeout(30):
        while not (tmp_path / "begun").exists():  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.01)


def is_there(worker: WorkerProcess) -> bool:
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_is_asked_to_end_and_ends_its_task(work: Callable[[str], WorkerProcess], tmp_path: Path):
    with work(ENDS_ITS_TASK) as worker:
        await begun(tmp_path)
        assert not worker.has_ended
    assert (tmp_path / "begun-ended").exists()
    assert worker.has_ended
    assert not is_there(worker)
    worker.stop()
    worker.kill()


async def test_one_that_does_not_end_is_killed(
    work: Callable[[str], WorkerProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worker_process, "_ENDS_WITHIN", 0.1)
    with work(WILL_NOT_END) as worker:
        await begun(tmp_path)
    assert not is_there(worker)


async def test_the_end_does_not_block_the_loop_and_no_cancellation_leaves_it_running(
    work: Callable[[str], WorkerProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worker_process, "_ENDS_WITHIN", 0.5)
    workers: list[WorkerProcess] = []
    is_ending = asyncio.Event()

    async def use() -> None:
        async with work(WILL_NOT_END) as worker:
            workers.append(worker)
            await begun(tmp_path)
            is_ending.set()

    using = asyncio.create_task(use())
    await is_ending.wait()
    await asyncio.sleep(0)
    assert not using.done(), "the loop goes on while the worker ends"
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert not is_there(workers[0])


async def test_an_error_in_the_block_ends_it_and_comes_out(work: Callable[[str], WorkerProcess]):
    with pytest.raises(ZeroDivisionError):
        async with work(WORKS) as worker:
            raise ZeroDivisionError
    assert not is_there(worker)


def test_its_environment_is_what_is_given_and_its_errors_are_seen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = "import os, sys; print('banner', flush=True); print(os.environ.get('WORD'), file=sys.stderr)"
    with WorkerProcess([sys.executable, "-c", program], environment={"WORD": "given"}, is_quiet=True) as worker:
        worker._process.wait(30)
    said = capfd.readouterr()
    assert said.out == ""
    assert "given" in said.err
