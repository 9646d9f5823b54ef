"""The processes of the demo: an MCP server, workers. Each ends with its block."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_PATIENCE = 30.0
_ENDS_WITHIN = 10.0


class Running:
    """A process of Python's, in a session of its own so that it can be killed with its children."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self, pattern: str) -> re.Match[str]:
        """What the next line of its output that holds the pattern has of it. Raises ChildProcessError where it ends before."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            while text := (await self.process.stdout.readline()).decode(errors="replace"):
                if found := re.search(pattern, text):
                    return found
        raise ChildProcessError(f"the process ended with exit code {await self.process.wait()}")

    async def kill(self) -> None:
        """As the system does that is short of memory."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def end(self) -> None:
        """Ask it to end, and kill it where it doesn't."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), _ENDS_WITHIN)
            except TimeoutError:
                await self.kill()


@asynccontextmanager
async def running(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[Running]:
    """`python -m …`, with its output to be read; ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
    )
    started = Running(process)
    try:
        yield started
    finally:
        await started.end()


@asynccontextmanager
async def mcp_server(folder: Path, port: int = 0) -> AsyncIterator[tuple[Running, str]]:
    """`oneiric-mcp --http` with the folder's `oneiric.yaml`, and its URL."""
    arguments = ("oneiric_mcp", "--http", "--port", str(port), "--config", str(folder / "oneiric.yaml"))
    async with running(*arguments, cwd=folder) as server:
        yield server, (await server.line(r"Serving MCP on (http://\S+)"))[1]


@asynccontextmanager
async def worker(folder: Path, instance: str = "jobs") -> AsyncIterator[Running]:
    """`oneiric-rq worker` of an instance in the folder's `oneiric.yaml`; the task of a killed one is given back soon."""
    options = ("--instance", instance, "--config", str(folder / "oneiric.yaml"), "--recover-after", "3")
    async with running("oneiric_rq", "worker", *options, "--log-level", "CRITICAL", cwd=folder) as started:
        yield started
