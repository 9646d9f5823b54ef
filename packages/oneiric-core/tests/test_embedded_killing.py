"""Whoever is killed, whenever: the others go on, nothing is left, and no data is lost."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys

import pytest
from oneiric.embedded.lock import Lock, is_held
from tiny_engine import TinyEngine, asked
from tiny_house import House, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="embedded servers don't run on Windows, and say so")


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


@pytest.mark.parametrize("is_made_again", [False, True])
async def test_a_server_whose_folder_is_removed_ends_with_its_last_member(kept: House, is_made_again: bool):
    """As a temporary folder is by who has used the server in it; a lock in another file tells nothing of the server."""
    member = await kept.member()
    await member.joined()
    assert len(kept.processes()) == 2
    shutil.rmtree(kept.home.directory)
    if is_made_again:
        kept.home.directory.mkdir()
    await member.kill()
    await until(lambda: not kept.processes(), lambda: f"still there: {kept.processes()}")
    kept.home.directory.mkdir(exist_ok=True)  # for the fixture's last look
