"""What differs between engines: an entry of oneiric.yaml, and the command that starts a worker. No other module knows one."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from signal import SIGKILL, SIGTERM
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

EngineName = Literal["celery", "rq"]
_GIVEN_BACK_AFTER = 3
"""Seconds after which what a killed worker had taken is given back: short, for demos and tests."""
_ENDS_WITHIN = 15.0


@dataclass(frozen=True)
class Engine:
    """One engine, on a broker."""

    name: EngineName
    url: str

    @property
    def config(self) -> dict[str, Any]:
        """The instance `queue` of oneiric.yaml."""
        if self.name == "rq":
            return {"adapter": "rq", "url": self.url}
        return {"adapter": "celery", "broker_url": self.url, "visibility_timeout": _GIVEN_BACK_AFTER}

    @property
    def command(self) -> list[str]:
        """What starts a worker."""
        if self.name == "rq":
            options = ["--url", self.url, "--allow", "fastblocks.tasks", "--recover-after", str(_GIVEN_BACK_AFTER)]
            return ["oneiric_rq", "worker", *options, "--log-level", "WARNING"]
        options = ["--broker", self.url, "--visibility-timeout", str(_GIVEN_BACK_AFTER), "--concurrency", "1"]
        return ["oneiric_celery", "worker", "fastblocks.celery_app:app", *options, "--log-level", "error"]

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Worker]:
        """A worker in a process of its own, for as long as the block lasts."""
        command = [sys.executable, "-m", *self.command]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, start_new_session=True, stdout=DEVNULL
        )
        worker = Worker(process)
        try:
            yield worker
        finally:
            await worker.stop()


class Worker:
    """A worker's processes: its own, and those that it has started."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self.process.pid

    async def kill(self) -> None:
        """With SIGKILL: no word of it to anybody."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, SIGKILL)
        await self.process.wait()

    async def stop(self) -> None:
        """Ask it to end; make it end, where it takes too long."""
        with suppress(ProcessLookupError):
            self.process.send_signal(SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), _ENDS_WITHIN)
        except TimeoutError:
            await self.kill()
