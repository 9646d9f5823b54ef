"""A subscriber in a process of its own, as the demo has it: `splashsand follow`, and what it has printed."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

_PATIENCE = 30.0


class Follower:
    """A process that follows a sandcastle."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.heard: list[dict[str, Any]] = []
        """The events that it has printed, in their order."""
        self._reading = asyncio.create_task(self._read())

    @property
    def numbers(self) -> list[int]:
        """The `number` in the data of each event that has one."""
        return [event["data"]["number"] for event in self.heard if "number" in event["data"]]

    async def has_heard(self, numbers: set[int]) -> None:
        """Wait until it has heard all these. Raises TimeoutError, and ChildProcessError where it ends before."""
        async with asyncio.timeout(_PATIENCE):
            while not numbers <= set(self.numbers):
                await self._wait(0.01)

    async def listens(self, publish: Callable[[], Awaitable[object]]) -> None:
        """Publish until it hears something: over a bus that is live alone it gets only what comes once it listens."""
        async with asyncio.timeout(_PATIENCE):
            while not self.heard:
                await publish()
                await self._wait(0.1)

    async def kill(self) -> None:
        """As the system does that is short of memory; what it has handled is known then."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _wait(self, seconds: float) -> None:
        done, _ = await asyncio.wait({self._reading}, timeout=seconds)
        if done:
            raise ChildProcessError(f"the follower ended with exit code {await self.process.wait()}")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.heard.append(json.loads(line))


@asynccontextmanager
async def following(
    folder: Path, sandcastle: str, *, instance: str, subscriber: str | None = None
) -> AsyncIterator[Follower]:
    """A follower with the folder's `oneiric.yaml`; killed with the block, where it has not ended."""
    named = ("--subscriber", subscriber) if subscriber else ()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "splashsand", "--config", str(folder / "oneiric.yaml"), "--instance", instance),
        *("follow", sandcastle, *named),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    follower = Follower(process)
    try:
        yield follower
    finally:
        await follower.kill()
