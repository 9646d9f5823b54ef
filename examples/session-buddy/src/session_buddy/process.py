"""`session-buddy serve` in a process of its own, and how another one speaks to it."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

_ENDS_WITHIN = 30.0


class Gone(ConnectionError):
    """The process has ended before it answered: what it was asked for may be done or not."""


class Refused(RuntimeError):
    """The process has answered with an error."""


class BuddyProcess:
    """A store in a process of its own. Any number of tasks may ask it."""

    def __init__(self, process: Process, on_copied: Callable[[str, int], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._requests = process.stdin
        self._answers = process.stdout
        self._on_copied = on_copied
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def start(cls, config: Path, on_copied: Callable[[str, int], None] = lambda *_: None) -> AsyncIterator[Self]:
        """Start one, which has ended when the block has."""
        command = [sys.executable, "-m", "session_buddy", "serve", "--config", str(config)]
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=2**24)
        buddy = cls(process, on_copied)
        try:
            yield buddy
        finally:
            await buddy.close()

    async def ask(self, do: str, **values: Any) -> Any:
        """What it answers. Raises Refused, and Gone."""
        if self._reading.done():
            raise Gone("The process has ended.")
        self._number += 1
        answer = self._asked[self._number] = asyncio.get_running_loop().create_future()
        self._requests.write(json.dumps({"id": self._number, "do": do, **values}).encode() + b"\n")
        with suppress(ConnectionError):  # then there is no answer either
            await self._requests.drain()
        return await answer

    async def kill(self) -> None:
        """With SIGKILL."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def close(self) -> None:
        """Let it finish what it has begun, and end."""
        self._requests.close()
        try:
            await asyncio.wait_for(self.process.wait(), _ENDS_WITHIN)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        while line := await self._answers.readline():
            with suppress(ValueError):  # the last line of one that was killed
                self._take(json.loads(line))
        for answer in filter(lambda each: not each.done(), self._asked.values()):
            answer.set_exception(Gone("The process has ended."))
            answer.exception()  # who asked may have left
        self._asked.clear()

    def _take(self, message: dict[str, Any]) -> None:
        if "copied" in message:
            self._on_copied(message["of"], message["copied"])
            return
        asked = self._asked.pop(message["id"])
        if asked.done():
            return
        if "error" in message:
            asked.set_exception(Refused(message["error"]))
        else:
            asked.set_result(message["answer"])
