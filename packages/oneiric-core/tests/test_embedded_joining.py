"""A server shared by processes: who starts it, who ends it, and what kill -9 does. With a tiny server, and real processes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.embedded import Home, Member, Place, join
from oneiric.embedded.lock import Lock, is_held
from oneiric.errors import ConfigError, ConnectionFailed, DeadlineExceeded
from oneiric.testing.cancelling import cancel_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TINY = Path(__file__).with_name("tiny_engine.py")
_spec = spec_from_file_location("tiny_engine", TINY)
assert _spec is not None
assert _spec.loader is not None
tiny = module_from_spec(_spec)
_spec.loader.exec_module(tiny)
TinyEngine, asked = tiny.TinyEngine, tiny.asked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="embedded servers don't run on Windows, and say so")


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


@pytest.fixture(params=["kept", "not-kept"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A place of either kind."""
    house = House(f"embedded://{tmp_path}/kept" if request.param == "kept" else new_name())
    yield house
    await house.close()


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[House]:
    house = House(f"embedded://{tmp_path}/kept")
    yield house
    await house.close()


@pytest.fixture
async def not_kept() -> AsyncIterator[House]:
    house = House(new_name())
    yield house
    await house.close()


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


async def test_who_started_it_may_be_killed_and_the_others_go_on(house: House):
    starter = await house.member()
    server = await starter.joined()
    other = await house.member()
    assert await other.joined() == server
    await starter.kill()
    assert await asked(str(house.home.run / "tiny.sock")) == server
    await other.kill()
    await house.is_over()


async def test_who_is_killed_while_it_starts_the_server_leaves_nothing(house: House):
    starter = await house.member("serves", "60")
    await until(lambda: house.home.unfinished.exists(), lambda: "nothing is being made")
    await starter.kill()
    await house.is_over()


async def test_a_server_that_is_killed_is_started_again_on_its_data(house: House):
    member = await house.join()
    first = await asked(member.url)
    assert first is not None
    os.kill(first, signal.SIGKILL)  # too soon for the supervisor to start it again by itself
    again = await house.join()
    second = await asked(again.url)
    assert house.starts() == [first, second]
    await asyncio.sleep(2.1)  # one that has run a while is started again though nobody joins
    assert second is not None
    os.kill(second, signal.SIGKILL)
    await until(lambda: len(house.starts()) == 3, lambda: "it was not started again")
    await again.leave()
    await member.leave()
    await house.is_over()


async def test_a_killed_supervisor_is_replaced_by_who_joins_next_and_the_server_goes_on(house: House):
    member = await house.member()
    server = await member.joined()
    os.kill(house.supervisor(), signal.SIGKILL)
    await until(lambda: not is_held(house.home.supervisor), lambda: "it lives on")
    here = await house.join()
    assert await asked(here.url) == server
    assert house.supervisor()
    await here.leave()
    assert await asked(here.url) == server
    await member.kill()
    await house.is_over()


async def test_a_killed_supervisor_is_replaced_by_who_leaves_so_that_the_server_ends(house: House):
    member = await house.join()
    os.kill(house.supervisor(), signal.SIGKILL)
    await until(lambda: not is_held(house.home.supervisor), lambda: "it lives on")
    await member.leave()
    await house.is_over()


async def test_a_server_whose_supervisor_and_members_were_all_killed_ends_after_the_next_member(house: House):
    member = await house.member()
    server = await member.joined()
    os.kill(house.supervisor(), signal.SIGKILL)
    await until(lambda: not is_held(house.home.supervisor), lambda: "it lives on")
    await member.kill()
    assert await asked(str(house.home.run / "tiny.sock")) == server  # nobody is left to notice
    here = await house.join()
    now = await asked(here.url)
    assert now == server if house.home.is_kept else now != server  # what isn't kept begins empty
    assert house.starts() == [now]
    await here.leave()
    await house.is_over()


async def test_a_supervisor_that_is_killed_while_it_makes_the_data_leaves_none_that_is_half_made(house: House):
    starter = await house.member("serves", "60")
    await until(lambda: house.home.unfinished.exists(), lambda: "nothing is being made")
    os.kill(house.supervisor(), signal.SIGKILL)
    await starter.kill()
    member = await house.join(TinyEngine(make_takes=0))
    assert (house.home.data / "made").exists()
    assert len([command for command in house.processes().values() if "data.new" in command]) == 0
    await member.leave()
    await house.is_over()


async def test_a_supervisor_that_is_killed_while_the_server_starts_is_replaced_by_who_waits(house: House):
    starter = await house.member("serves", "0.5")
    await until(lambda: house.home.unfinished.exists(), lambda: "nothing is being made")
    os.kill(house.supervisor(), signal.SIGKILL)
    assert [await starter.joined()] == house.starts()
    await starter.leave()
    await house.is_over()


async def test_everybody_killed_at_once_leaves_data_that_the_next_member_starts_with(kept: House):
    member = await kept.member()
    first = await member.joined()
    for pid in [*kept.processes(), member.process.pid]:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not kept.processes(), lambda: f"still there: {kept.processes()}")
    here = await kept.join()
    assert kept.starts() == [first, await asked(here.url)]
    await here.leave()


async def test_a_supervisor_that_is_told_to_end_ends_the_server(house: House):
    member = await house.join()
    os.kill(house.supervisor(), signal.SIGTERM)
    await until(lambda: not house.processes(), lambda: f"still there: {house.processes()}")
    again = await house.join()
    assert await asked(again.url) is not None
    await member.leave()
    await again.leave()


async def test_an_interrupt_of_the_terminal_does_not_reach_the_server(house: House):
    starter = await house.member(start_new_session=True)
    server = await starter.joined()
    other = await house.join()
    os.killpg(starter.process.pid, signal.SIGINT)
    os.killpg(starter.process.pid, signal.SIGTERM)
    await starter.process.wait()
    assert await asked(other.url) == server
    await other.leave()


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


async def test_a_process_that_was_given_the_number_of_a_dead_server_is_left_alone(kept: House):
    somebody = await asyncio.create_subprocess_exec("sleep", "600")
    kept.home.make()
    kept.home.claim()
    note = kept.home.directory / "server.json"
    note.write_text(json.dumps({"pid": somebody.pid, "serves": False}))
    with Lock(kept.home.directory / "server.lock") as rest:  # of a server that is dead, but for one of its processes
        assert rest.try_alone()
        joining = asyncio.create_task(kept.join())
        await until(lambda: not note.exists(), lambda: "nobody ends what is left of it")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(somebody.wait(), 0.2)
    member = await joining
    assert await asked(member.url) is not None
    await member.leave()
    await kept.is_over()
    assert somebody.returncode is None
    somebody.kill()
    await somebody.wait()


def refuse(url: str) -> str:
    async def attempt() -> None:
        await join(url, TinyEngine())

    with pytest.raises((ConfigError, ConnectionFailed)) as caught:
        asyncio.run(attempt())
    return str(caught.value)


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").touch()
    assert "holds other files" in refuse(f"embedded://{tmp_path}")
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("home", "work")] == ["mine"]


def test_a_directory_of_another_engine_is_left_alone(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "engine").write_text("other")
    assert "holds the data of 'other', and not of 'tiny'" in refuse(f"embedded://{tmp_path}/data")


def test_a_path_that_can_not_be_is_said(tmp_path: Path):
    (tmp_path / "file").touch()
    assert "Not a directory" in refuse(f"embedded://{tmp_path}/file")
    assert "No such file or directory" in refuse(f"embedded://{tmp_path}/nowhere/data")
    assert "File name too long" in refuse(f"embedded://{tmp_path}/{'x' * 300}")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert f"{tmp_path}/loop" in refuse(f"embedded://{tmp_path}/loop")


async def test_a_directory_that_others_may_enter_is_closed_to_them(tmp_path: Path):
    directory = tmp_path / "open"
    directory.mkdir(mode=0o755)
    house = House(f"embedded://{directory}")
    await (await house.join()).leave()
    assert directory.stat().st_mode & 0o777 == 0o700
    await house.close()


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory of somebody else's")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    assert "not a directory of this user" in refuse(f"embedded://{tmp_path}/theirs")
