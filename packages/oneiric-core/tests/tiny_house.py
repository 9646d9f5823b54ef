"""Members in processes of their own, of a tiny engine's server, and what they leave."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.embedded import Home, Member, Place, join
from oneiric.embedded.lock import Lock
from tiny_engine import TinyEngine

if TYPE_CHECKING:
    from collections.abc import Callable


TINY = Path(__file__).with_name("tiny_engine.py")


class MemberProcess:
    """A process of its own that joins."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.server = 0

    async def joined(self) -> int:
        """Wait until it is a member; returns the server's process, as it has seen it."""
        self.server = int(await self._line())
        return self.server

    async def leave(self) -> None:
        self._say("leave")
        assert await self._line() == "left"

    async def fork_and_leave(self) -> int:
        """Fork a child, and leave; returns the child's process."""
        self._say("fork")
        child = int(await self._line())
        assert await self._line() == "left"
        return child

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    async def _line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(40):
            line = await self.process.stdout.readline()
        assert line, "the member has ended early"
        return line.decode().strip()


class House:
    """The place of a test, its members, and what is left of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.home = Home(Place.parse(url), TinyEngine())
        self._members: list[MemberProcess] = []
        self._here: list[Member] = []

    async def join(self, engine: Any = None, **options: Any) -> Member:
        """Join in this process."""
        member = await join(self.url, engine or TinyEngine(), **options)
        self._here.append(member)
        return member

    async def member(self, *arguments: str, **options: Any) -> MemberProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(TINY),
            self.url,
            *arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **options,
        )
        member = MemberProcess(process)
        self._members.append(member)
        return member

    def processes(self) -> dict[int, str]:
        """Server, supervisor and maker of this home, by what their command lines name."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,stat=,command="], capture_output=True, text=True, check=True
        )
        found = {}
        for line in listed.stdout.splitlines():
            pid, status, command = line.split(None, 2)
            is_here = any(f"{self.home.directory}{end}" in f"{command} " for end in ("/", " "))
            if is_here and not status.startswith("Z") and str(TINY) not in command:
                found[int(pid)] = command
        return found

    def supervisor(self) -> int:
        (pid,) = (pid for pid, command in self.processes().items() if "supervisor.py" in command)
        return pid

    def starts(self) -> list[int]:
        """The processes of the servers that have run on this data."""
        return [int(line) for line in (self.home.data / "starts").read_text().split()]

    async def is_over(self) -> None:
        """Wait until nothing is left of the server, and of data that isn't kept."""
        await until(lambda: not self.processes(), lambda: f"still there: {self.processes()}")
        assert not self.home.run.exists()
        if self.home.is_kept:
            for path in (self.home.members, self.home.supervisor, self.home.starting):
                with Lock(path) as lock:
                    await until(lock.try_alone, lambda: "somebody holds a lock")
        else:
            await until(lambda: not self._remains(), lambda: f"still there: {self._remains()}")

    def _remains(self) -> list[str]:
        directory = self.home.directory
        return [path.name for path in directory.parent.iterdir() if directory.name in path.name]

    async def close(self) -> None:
        for member in self._members:
            await member.kill()
        for here in self._here:
            await here.leave()
        try:
            await self.is_over()
        finally:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


async def until(condition: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        await asyncio.sleep(0.01)


def new_name() -> str:
    return f"embedded://t{uuid.uuid4().hex[:12]}"
