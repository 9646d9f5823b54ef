"""A store in a process of its own, which is written without a pause while it moves, and killed at each stage of the move."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from session_buddy.demo import Writers, check, demo
from session_buddy.process import BuddyProcess, Gone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Store

STAGES = ("sqlite", "copying reflections", "postgres", "copying memory", "pgvector")
"""When it is killed: as soon as it is asked to move, as it copies, as the file has the new adapter."""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_it_may_be_killed_at_each_stage_of_a_move_and_loses_and_doubles_nothing(store: Store) -> None:
    """Each time the store goes on from what the killed process has left."""
    writers = Writers()
    writing = asyncio.create_task(writers.run())
    for stage in STAGES:
        await killed_at(stage, store, writers)
    async with BuddyProcess.start(store.config) as buddy:
        writers.buddy = buddy
        assert await buddy.ask("move", to=str(store.postgres)) == []  # all of it was moved when it was killed last
        writers.is_over = True
        await writing
        assert writers.again >= len(STAGES)
        await check(buddy, writers.saved)
        assert await buddy.ask("count") == len(writers.saved)


async def killed_at(stage: str, store: Store, writers: Writers) -> None:
    seen = set[str]()
    before = len(writers.saved)
    async with BuddyProcess.start(store.config, lambda name, _: seen.add(f"copying {name}")) as buddy:
        writers.buddy = buddy
        await until(lambda: len(writers.saved) > before + 50)
        moving = asyncio.create_task(buddy.ask("move", to=str(store.postgres)))
        await until(lambda: stage in seen or f"adapter: {stage}" in store.config.read_text())
        await buddy.kill()
        with suppress(Gone):
            await moving


async def test_the_demo(tmp_path: Path) -> None:
    told = dict([told async for told in demo(tmp_path)])
    assert list(told) == ["write", "kill", "move", "check", "start again", "search"]
    assert told["move"].startswith("started again and moved: reflections, memory")
    assert "a slow query" in told["search"]
