"""SIGTERM and SIGINT under load, in a process of its own: every accepted call ends, every adapter is cleaned up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from oneiric.lifecycle.signals import until_signalled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals to send there")

PROGRAM = """
import asyncio, sys, types
from oneiric import Adapter, AdapterManager, AdapterSpec, Catalog, ConfigStore, Limits, ShuttingDown

def say(text):
    print(text, flush=True)

class Busy(Adapter):
    accepted = ended = 0
    async def init(self): self.is_open = True
    async def health(self): return True
    async def cleanup(self):
        await asyncio.sleep(3600 if {hangs} and self.name == "b" else 0)
        self.is_open = False
        say(f"cleaned {{self.name}}")
    async def call(self):
        Busy.accepted += 1
        await asyncio.sleep(0.2)
        assert self.is_open
        Busy.ended += 1

module = types.ModuleType("busy_adapter")
module.Busy = Busy
sys.modules["busy_adapter"] = module
SPEC = AdapterSpec("busy", type="queue", summary="A.", adapter="busy_adapter:Busy")
CONFIG = ConfigStore.load(overrides={{name: {{"adapter": "busy"}} for name in "abc"}}, environ={{}})

async def work(adapters, number):
    while True:
        adapter = await adapters.get("abc"[number % 3])
        await adapter.call()
        if number == 0 and Busy.ended < 64:
            say("ready")

async def politely(work):
    # In a group, the error of one would cancel the calls of all others.
    try:
        await work
    except ShuttingDown:
        pass

async def main():
    limits = Limits(cleanup_timeout=0.5, drain_timeout={drain})
    async with AdapterManager(CONFIG, Catalog([SPEC]), limits=limits) as adapters:
        for name in "abc":
            await adapters.get(name)
        async with adapters.until_signalled():
            {body}
        say("after the block")
    say(f"accepted {{Busy.accepted}} ended {{Busy.ended}}")

asyncio.run(main())
say("exit")
"""
TASK_GROUP = """
            async with asyncio.TaskGroup() as tasks:
                for number in range(32):
                    tasks.create_task(politely(work(adapters, number)))
"""
RUDE = TASK_GROUP.replace("politely", "")
IDLE = """
            tasks = [asyncio.create_task(work(adapters, number)) for number in range(32)]
            await asyncio.Event().wait()
"""


RUNNING: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    yield
    for process in RUNNING:
        process.kill()
        process.communicate()
    RUNNING.clear()


class Program:
    def __init__(self, folder: Path, body: str, *, hangs: bool = False, drain: float = 5) -> None:
        file = folder / f"program{len(RUNNING)}.py"
        file.write_text(PROGRAM.format(body=body.strip(), hangs=hangs, drain=drain), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        RUNNING.append(self.process)

    def wait_for(self, line: str) -> None:
        assert self.process.stdout is not None
        for said in self.process.stdout:
            if said.strip() == line:
                return
        pytest.fail(f"It never said {line!r}.")

    def end(self) -> tuple[list[str], str, int]:
        out, err = self.process.communicate(timeout=30)
        return out.split("\n"), err, self.process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("body", [TASK_GROUP, IDLE])
def test_every_accepted_call_ends_and_every_adapter_is_cleaned_up(tmp_path: Path, body: str, number: signal.Signals):
    program = Program(tmp_path, body)
    program.wait_for("ready")
    os.kill(program.process.pid, number)
    lines, errors, code = program.end()
    cleaned = [line for line in lines if line.startswith("cleaned")]
    assert cleaned == ["cleaned c", "cleaned b", "cleaned a"], (lines, errors)
    assert lines.index("after the block") > lines.index("cleaned a")
    (counts,) = (line.split() for line in lines if line.startswith("accepted"))
    assert counts[1] == counts[3], counts
    assert int(counts[1]) >= 32
    assert (code, lines[-2]) == (0, "exit"), errors
    assert "Traceback" not in errors or body == IDLE  # tasks of the application's own, which nobody awaited


def test_what_the_block_raises_because_of_the_close_goes_no_further(tmp_path: Path):
    program = Program(tmp_path, RUDE)
    program.wait_for("ready")
    program.process.terminate()
    lines, errors, code = program.end()
    assert (code, errors, lines[-2]) == (0, "", "exit")
    assert [line for line in lines if line.startswith("cleaned")] == ["cleaned c", "cleaned b", "cleaned a"]


def test_a_cleanup_that_hangs_ends_at_its_deadline(tmp_path: Path):
    program = Program(tmp_path, TASK_GROUP, hangs=True)
    program.wait_for("ready")
    program.process.terminate()
    lines, errors, code = program.end()
    assert [line for line in lines if line.startswith("cleaned")] == ["cleaned c", "cleaned a"]
    assert "The cleanup of b did not end within 0.5 s." in errors
    assert code == 0


def test_a_second_signal_is_not_caught(tmp_path: Path):
    program = Program(tmp_path, "adapters.limits.cleanup_timeout = 3600\n            say('ready')" + IDLE, hangs=True)
    program.wait_for("ready")
    program.process.terminate()
    program.wait_for("cleaned c")
    program.process.terminate()
    assert program.end()[2] == -signal.SIGTERM


def test_the_handlers_are_back_at_once_also_where_the_loop_is_stuck(tmp_path: Path):
    body = """import os, signal
            os.kill(os.getpid(), signal.SIGTERM)
            say(f"is back: {signal.getsignal(signal.SIGTERM) is signal.SIG_DFL}")"""
    assert "is back: True" in Program(tmp_path, body).end()[0]


def test_a_block_that_ends_by_itself_leaves_the_handlers_as_they_were(tmp_path: Path):
    before = signal.getsignal(signal.SIGTERM)
    code = Program(
        tmp_path,
        "import signal; inside = signal.getsignal(signal.SIGTERM)\n"
        "        assert callable(inside) and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "        say('it is so')",
    ).end()
    assert "it is so" in code[0], code
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_comes_as_the_block_ends_is_heard_too(tmp_path: Path):
    body = "import os, signal\n            os.kill(os.getpid(), signal.SIGTERM)"
    lines, errors, code = Program(tmp_path, body).end()
    assert lines[:4] == ["cleaned c", "cleaned b", "cleaned a", "after the block"], errors
    assert code == 0


async def test_who_is_cancelled_by_somebody_else_too_stays_cancelled():
    block = asyncio.current_task()
    assert block is not None

    async def close() -> None:
        block.cancel()

    async def run() -> None:
        async with until_signalled(close):
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await run()
    assert block.uncancel() == 0


async def test_an_error_of_the_close_goes_through():
    async def close() -> None:
        raise KeyError("of the close")

    async def run() -> None:
        async with until_signalled(close):
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()

    with pytest.raises(KeyError, match="of the close"):
        await run()


def test_an_error_of_the_block_goes_through(tmp_path: Path):
    lines, errors, code = Program(tmp_path, "raise KeyError('mine')").end()
    assert code == 1
    assert "KeyError: 'mine'" in errors
    assert "cleaned a" in lines
