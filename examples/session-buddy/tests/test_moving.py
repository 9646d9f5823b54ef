"""Moves in this process: with writers, there and back, refused, failed, cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from conftest import go
from oneiric import State
from oneiric.errors import ConnectionFailed, OneiricError, ShuttingDown

from session_buddy import MoveFailed
from session_buddy.reflections import Reflections

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from conftest import Store

    from session_buddy import Reflection, SessionBuddy


async def fill(buddy: SessionBuddy, count: int) -> None:
    await asyncio.gather(*(buddy.save(f"note number {each}", ["old"], id=f"old-{each}") for each in range(count)))


async def write(buddy: SessionBuddy, saved: list[str], is_over: asyncio.Event, writer: int) -> None:
    while not is_over.is_set():
        reflection = await buddy.save(f"writer{writer} says {len(saved)}", [f"writer {writer}"])
        saved.append(reflection.id)
        found = await buddy.search(reflection.text, limit=1)
        assert [each.reflection for each in found] == [reflection], found[0].score


async def check(buddy: SessionBuddy, ids: set[str]) -> None:
    assert {each.id for each in await buddy.latest(10**6)} == ids
    assert await buddy.count() == len(ids)
    assert await buddy._index.count() == len(ids)


async def test_it_moves_to_postgresql_and_back_under_writers_and_searches(store: Store) -> None:
    """What each writer has saved it finds at once, before, during and after."""
    back = store.write("back.yaml", store.config.read_text())
    ids = {f"old-{number}" for number in range(1200)}
    saved, is_over, seen = list[str](), asyncio.Event(), list[tuple[str, int]]()
    async with store.opened() as buddy:
        await fill(buddy, 1200)
        async with asyncio.TaskGroup() as tasks:
            for writer in range(4):
                tasks.create_task(write(buddy, saved, is_over, writer))
            for to in (store.postgres, back):
                before = len(saved)
                moved = await go(buddy, to, on_copied=lambda name, copied: seen.append((name, copied)))
                assert moved == ["reflections", "memory"]
                assert len(saved) > before, "Nobody has written meanwhile."
            is_over.set()
        await check(buddy, ids | set(saved))
        assert await go(buddy, back) == []
    assert [copied for _, copied in seen][:2] == [500, 1000]
    async with store.opened() as buddy:
        await check(buddy, ids | set(saved))
    assert store.config.read_text() == back.read_text(), "The comment of the file is lost, or more."


async def test_one_instance_may_move_alone(store: Store) -> None:
    to = store.write("to.yaml", "adapters: {memory: {adapter: qdrant, url: 'embedded://{folder}/other'}}")
    async with store.opened() as buddy:
        await fill(buddy, 10)
        assert await go(buddy, to) == ["memory"]
        await check(buddy, {f"old-{number}" for number in range(10)})
        assert len(await buddy.search("note number 3", limit=20)) == 10


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("adapters: {reflections: {adapter: sqlite, path: ':memory:'}}", "keeps ends with the process"),
        ("adapters: {memory: {adapter: qdrant, url: 'embedded://'}}", "keeps ends with the process"),
        ("adapters: {memory: {adapter: sqlite, path: 'a.db'}}", "can't be swapped for one of type database"),
        ("adapters: {reflections: {adapter: sqlite, pth: 'a.db'}}", "is wrong"),
        ("adapters: {reflections: {adapter: nothing}}", "nothing"),
        (
            "adapters: {reflections: {adapter: postgres, dsn: 'postgresql://x@127.0.0.1:9/x'}}",
            "can't be reached|refused",
        ),
    ],
)
async def test_a_move_that_cannot_be_leaves_all_as_it_was(store: Store, to: str, said: str) -> None:
    before = store.config.read_text()
    async with store.opened() as buddy:
        await fill(buddy, 3)
        with pytest.raises((MoveFailed, OneiricError), match=said):
            await go(buddy, store.write("to.yaml", to))
        await buddy.save("and on it goes", id="x")
        await check(buddy, {"old-0", "old-1", "old-2", "x"})
    assert store.config.read_text() == before


async def test_what_a_variable_sets_cannot_move(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEIRIC_ADAPTERS__REFLECTIONS__PATH", str(store.folder / "elsewhere.db"))
    async with store.opened() as buddy:
        with pytest.raises(MoveFailed, match="comes from ONEIRIC_ADAPTERS__REFLECTIONS__PATH"):
            await go(buddy, store.light)


async def test_a_file_that_somebody_has_changed_is_not_moved_from(store: Store) -> None:
    async with store.opened() as buddy:
        store.config.write_text(store.light.read_text())
        with pytest.raises(MoveFailed, match="Start it again"):
            await go(buddy, store.postgres)


async def test_a_file_that_is_changed_during_the_move_ends_it(store: Store) -> None:
    """The switch is the change of the file; where that fails there is none."""
    async with store.opened() as buddy:
        await fill(buddy, 10)

        def change(name: str, copied: int) -> None:
            store.config.chmod(0o444)
            store.config.write_text("adapters: {reflections: [")

        with pytest.raises(OneiricError):
            await go(buddy, store.light, on_copied=change)
        await buddy.save("and on it goes", id="x")
        assert await buddy.count() == 11
        assert not (store.folder / "there.db-wal").exists(), "The new adapter is still open."


async def test_a_target_that_goes_away_during_the_copy_leaves_all_as_it_was(store: Store) -> None:
    before = store.config.read_text()
    async with store.opened() as buddy:
        await fill(buddy, 600)

        def fail(name: str, copied: int) -> None:
            raise ConnectionFailed("It went away.")

        with pytest.raises(ConnectionFailed):
            await go(buddy, store.light, on_copied=fail)
        assert await go(buddy, store.light) == ["reflections", "memory"]
        await check(buddy, {f"old-{number}" for number in range(600)})
    assert store.config.read_text() != before


async def test_a_move_that_is_cancelled_at_any_time_leaves_one_store_that_has_all(store: Store) -> None:
    saved = list[str]()
    async with store.opened() as buddy:
        await fill(buddy, 100)
        for turns in (0, 1, 3, 10, 30, 100, 300):
            move = asyncio.create_task(go(buddy, store.light))
            for _ in range(turns):
                await asyncio.sleep(0)
            move.cancel()
            saved.append((await buddy.save(f"after {turns}")).id)
            await asyncio.gather(move, return_exceptions=True)
            assert buddy.adapters.state("reflections") is State.READY
        await check(buddy, {f"old-{number}" for number in range(100)} | set(saved))
    async with store.opened() as buddy:
        await check(buddy, {f"old-{number}" for number in range(100)} | set(saved))


async def test_a_move_ends_where_the_application_does(store: Store) -> None:
    """Nobody can say how long a copy would take: it is not waited for."""
    begun = asyncio.Event()

    class Endless(Reflections):
        async def batches(self) -> AsyncGenerator[list[Reflection]]:
            begun.set()
            await asyncio.sleep(10**6)
            yield []

    async with store.opened() as buddy:
        buddy._reflections = Endless(buddy._reflections.database)
        move = asyncio.create_task(go(buddy, store.light))
        await asyncio.wait_for(begun.wait(), 30)
        await asyncio.wait_for(buddy.adapters.close(), 30)
        with pytest.raises(ShuttingDown):
            await move
