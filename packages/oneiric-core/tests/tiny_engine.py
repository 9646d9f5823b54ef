"""A server in few lines, an engine that runs it, and a program that is a member of it until it is told otherwise."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from oneiric.embedded import Engine, Plan, join

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.embedded import Home

SERVER = """
import os, signal, socket, sys, time
path, data, mode = sys.argv[1:]
if mode == "dies":
    sys.exit("the disk is full, says redis://user:geheim@host/0")
with open(data + "/starts", "a") as starts:
    print(os.getpid(), file=starts)
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(100)
while mode != "silent":
    connection, _ = listener.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
time.sleep(600)
"""
MAKE = """
import os, sys, time
os.mkdir(sys.argv[1])
time.sleep(float(sys.argv[2]))
open(sys.argv[1] + "/made", "w").close()
"""


class TinyEngine(Engine):
    """`mode` is `serves`, `dies` or `silent`; `make_takes` has seconds."""

    name = "tiny"
    socket = "tiny.sock"

    def __init__(self, mode: str = "serves", make_takes: float | None = None) -> None:
        self.mode = mode
        self.make_takes = make_takes

    def plan(self, home: Home) -> Plan:
        python = (sys.executable, "-I", "-S", "-c")
        make = () if self.make_takes is None else (*python, MAKE, str(home.unfinished), str(self.make_takes))
        serve = (*python, SERVER, str(home.run / self.socket), str(home.data), self.mode)
        return Plan(make=make, serve=serve, stop=((15, 10.0), (9, 5.0)))

    def url(self, run: Path) -> str:
        return str(run / self.socket)

    async def is_up(self, run: Path) -> bool:
        return await asked(self.url(run)) is not None


async def asked(url: str) -> int | None:
    """The server's process, as it says itself; None where there is none."""
    with suppress(OSError, ValueError, TimeoutError):
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_unix_connection(url)
            try:
                return int(await reader.read())
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    return None


async def be_member(url: str, engine: TinyEngine) -> None:
    """Join; print what the server says; leave when a line comes; end when another comes."""
    loop = asyncio.get_running_loop()
    member = await join(url, engine, timeout=30)
    print(await asked(member.url), flush=True)
    line = await loop.run_in_executor(None, sys.stdin.readline)
    if line == "fork\n":
        child = os.fork()
        if child == 0:
            os.read(0, 1)
            os._exit(0)
        print(child, flush=True)
    await member.leave()
    print("left", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(be_member(sys.argv[1], TinyEngine(*sys.argv[2:3], *map(float, sys.argv[3:]))))
