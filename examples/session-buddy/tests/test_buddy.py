"""A store in this process: what is kept, what is found, what is refused."""

from __future__ import annotations

import asyncio
import sys
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import pytest

from session_buddy import InvalidReflection, Reflection, StoreInUse

if TYPE_CHECKING:
    from conftest import Store


async def test_what_is_saved_is_there_in_the_next_process_and_found(store: Store) -> None:
    async with store.opened() as buddy:
        first = await buddy.save("The suite hangs where Redis is silent.", ["redis", "tests"], created_at=1.5)
        await buddy.save("asyncpg resets a session after each use.", ["postgres"], created_at=2)
    async with store.opened() as buddy:
        assert await buddy.get(first.id) == first
        assert await buddy.get("nobody") is None
        (found,) = await buddy.search("a hanging suite", limit=1)
        assert found.reflection == first
        assert found.score > 0.2
        assert [each.created_at for each in await buddy.latest()] == [2, 1.5]
        assert await buddy.count() == 2


async def test_a_search_is_of_those_with_all_the_tags_and_no_older(store: Store) -> None:
    async with store.opened() as buddy:
        for number in range(6):
            await buddy.save(f"note {number}", ["all", f"by {number % 2}"], created_at=number, id=str(number))

        async def ids(**options: Any) -> list[str]:
            return sorted(found.reflection.id for found in await buddy.search("note", limit=10, **options))

        assert await ids() == list("012345")
        assert await ids(tags=["by 1"]) == list("135")
        assert await ids(tags=["all", "by 0"], since=1.5) == list("24")
        assert await ids(tags=["by 0", "by 1"]) == []


async def test_an_id_is_kept_once_as_it_was_first_saved(store: Store) -> None:
    async with store.opened() as buddy:
        saved = await asyncio.gather(*(buddy.save(f"apples {number}", id="a") for number in range(8)))
        assert len({each.text for each in saved}) == 1
        assert await buddy.save("a railway station", id="a") == saved[0]
        assert await buddy.count() == 1
        await buddy.save("pears", id="b")
        (found,) = await buddy.search("apples", limit=1)
        assert found.reflection == saved[0]


async def test_what_was_indexed_and_not_kept_is_not_found_and_hides_nothing(store: Store) -> None:
    """As where the process was killed between the two."""
    async with store.opened() as buddy:
        for number in range(20):
            await buddy.save("apples and pears", id=f"x{number}")
        await buddy.save("apples", id="kept")
        database = await buddy.adapters.get("reflections")
        await database.execute("DELETE FROM session_reflections WHERE id <> 'kept'")  # type: ignore[attr-defined]
        assert [found.reflection.id for found in await buddy.search("apples and pears", limit=3)] == ["kept"]


@pytest.mark.parametrize(
    "values",
    [
        {"text": ""},
        {"text": " \n"},
        {"text": "a\0b"},
        {"text": "\ud800"},
        {"text": "a" * 100_001},
        {"text": 1},
        {"tags": "redis"},
        {"tags": ["a\0"]},
        {"tags": [1]},
        {"tags": ["a"] * 33},
        {"id": ""},
        {"id": "a" * 201},
        {"created_at": float("nan")},
        {"created_at": 1e300},
        {"created_at": "now"},
        {"created_at": True},
    ],
)
def test_what_not_every_backend_could_keep_is_refused_by_all(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidReflection):
        Reflection(**{"text": "a", **values})


async def test_one_process_has_a_store_at_a_time(store: Store) -> None:
    command = [sys.executable, "-m", "session_buddy", "save", "a", "--config", str(store.config)]
    async with store.opened():
        with pytest.raises(StoreInUse):
            async with store.opened():
                pass
        other = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
        _, said = await asyncio.wait_for(other.communicate(), 60)
    assert other.returncode == 1
    assert b"Another process has the store open" in said
    async with store.opened() as buddy:
        assert await buddy.count() == 0
