"""A server shared by processes: who starts it, who ends it, and what goes wrong. With a tiny server, and real processes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from oneiric.embedded import Member, join
from oneiric.errors import ConnectionFailed, DeadlineExceeded
from oneiric.testing.cancelling import cancel_at
from tiny_engine import TinyEngine, asked
from tiny_house import House, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="embedded servers don't run on Windows, and say so")


async def test_the_first_starts_it_the_others_share_it_and_it_ends_with_the_last(house: House):
    first = await house.join()
    server = await asked(first.url)
    second = await house.join()
    assert await asked(second.url) == server
    await first.leave()
    await first.leave()
    assert await asked(second.url) == server
    assert house.starts() == [server]
    await second.leave()
    await house.is_over()


async def test_data_that_is_kept_is_there_again(kept: House):
    for times in (1, 2, 3):
        member = await kept.join()
        assert len(kept.starts()) == times
        await member.leave()
        await kept.is_over()


async def test_data_that_is_not_kept_is_never_seen_by_who_comes_after_the_last(not_kept: House):
    for _ in range(
        5
    ):  # each comes while the supervisor of the one before is still ending its server, or hasn't begun to
        member = await not_kept.join()
        assert len(not_kept.starts()) == 1
        await member.leave()


async def test_eight_processes_at_once_start_one_server_and_may_end_in_any_way(house: House):
    for seed in range(2):
        members = [await house.member() for _ in range(8)]
        servers = {await member.joined() for member in members}
        assert len(servers) == 1
        assert len(house.starts()) == (seed + 1 if house.home.is_kept else 1)
        chance = random.Random(seed)
        chance.shuffle(members)
        for member in members[:-1]:
            await (member.kill() if chance.random() < 0.5 else member.leave())
            assert await asked(str(house.home.run / "tiny.sock")) in servers
        await (members[-1].kill() if seed else members[-1].leave())
        await house.is_over()


async def test_members_come_while_others_leave_and_each_finds_a_server(house: House):
    async def come_and_go() -> None:
        for _ in range(8):
            member = await house.join()
            assert await asked(member.url) is not None
            await member.leave()

    await asyncio.gather(*(come_and_go() for _ in range(4)))
    await house.is_over()


async def test_it_is_shared_by_threads_with_event_loops_of_their_own(house: House):
    servers: list[int | None] = []

    async def ask() -> None:
        member = await house.join()
        servers.append(await asked(member.url))
        await member.leave()

    here = await house.join()
    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert servers == [await asked(here.url)] * 4
    there = threading.Thread(target=lambda: asyncio.run(here.leave()))
    there.start()
    await asyncio.to_thread(there.join)
    await house.is_over()


async def test_a_child_made_by_fork_is_a_member_until_it_ends(house: House):
    member = await house.member()
    server = await member.joined()
    child = await member.fork_and_leave()
    here = await house.join()
    await here.leave()
    assert await asked(here.url) == server
    os.kill(child, signal.SIGKILL)
    await house.is_over()


async def test_neither_server_nor_supervisor_inherits_what_a_member_has(house: House, tmp_path: Path):
    (tmp_path / "cwd").mkdir()
    for name in ("json", "fcntl", "subprocess"):
        (tmp_path / "cwd" / f"{name}.py").write_text("raise SystemExit('hijacked')")
    environment = {**os.environ, "TOKEN": "geheim", "PYTHONSTARTUP": "x", "PYTHONPATH": ""}
    member = await house.member(cwd=tmp_path / "cwd", env=environment)
    server = await member.joined()
    if sys.platform == "linux":
        for pid in (server, house.supervisor()):
            process = Path(f"/proc/{pid}")
            assert b"geheim" not in (process / "environ").read_bytes()
            assert str((process / "cwd").readlink()) == "/"
            assert "starting.lock" not in opened_by(pid)
        assert {"server.lock"} == {name for name in opened_by(server) if name.endswith(".lock")}


def opened_by(pid: int) -> set[str]:
    return {file.readlink().name for file in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.mark.parametrize("begins", ["with-a-new-server", "with-a-server-that-is-up"])
async def test_a_join_that_is_cancelled_wherever_it_waits_leaves_nothing(house: House, begins: str):
    other = await house.join() if begins == "with-a-server-that-is-up" else None
    members: list[Member] = []

    async def one() -> None:
        members.append(await house.join(TinyEngine(make_takes=0)))

    for number in range(100):
        outcome = await cancel_at(number, one())
        if not outcome.was_cancelled:
            assert outcome.ended == "returned"
            break
        if other is None:
            await house.is_over()
    assert number > 1
    if other is not None:
        assert await asked(other.url) is not None
        await other.leave()
    for member in members:
        await member.leave()
    await house.is_over()


async def test_a_server_that_is_never_up_is_waited_for_no_longer_than_told(house: House):
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"wasn't up within 0\.5 s"):
        await house.join(TinyEngine("silent"), timeout=0.5)
    assert time.monotonic() - start < 10
    await house.is_over()


async def test_a_server_that_dies_at_its_start_is_reported_with_its_last_words(house: House):
    for _ in range(2):
        with pytest.raises(ConnectionFailed) as caught:
            await house.join(TinyEngine("dies"))
        assert "the disk is full" in str(caught.value)
        assert "geheim" not in str(caught.value)
        assert not caught.value.transient
        await house.is_over()


async def test_a_supervisor_that_can_not_write_leaves_no_server(kept: House):
    kept.home.make()
    kept.home.claim()
    (kept.home.directory / "server.json").mkdir()
    with pytest.raises(ConnectionFailed, match="Is a directory"):
        await kept.join()


async def test_what_is_half_made_is_made_anew(kept: House):
    kept.home.make()
    kept.home.claim()
    kept.home.unfinished.mkdir()
    (kept.home.unfinished / "rest").touch()
    member = await kept.join(TinyEngine(make_takes=0))
    assert (kept.home.data / "made").exists()
    assert not (kept.home.data / "rest").exists()
    await member.leave()


async def test_a_path_too_long_for_a_socket_gets_one_elsewhere(tmp_path: Path):
    long = tmp_path / ("x" * 100)
    house = House(f"embedded://{long}")
    assert house.home.run.parent != long
    member = await house.join()
    assert await asked(member.url) is not None
    assert len(member.url) < 60
    await member.leave()
    await until(lambda: not house.home.run.exists(), lambda: "its directory is still there")
    await house.close()


async def test_one_directory_has_one_server_by_whatever_path_it_is_named(kept: House, tmp_path: Path):
    member = await kept.join()
    (tmp_path / "link").symlink_to(kept.home.directory)
    other = await join(f"embedded://{tmp_path}/link/../kept/", TinyEngine())
    await other.leave()
    assert other.url == member.url
