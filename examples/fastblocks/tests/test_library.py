"""The library, on the databases and vector indexes that there are."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing.memory import MemoryDatabase, MemoryVector
from oneiric_qdrant import QdrantAdapter
from oneiric_sqlite import SqliteAdapter

from fastblocks import Library, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(params=["embedded", "memory"])
async def library(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Library]:
    async with AsyncExitStack() as stack:
        adapters: list[Any] = [MemoryDatabase(), MemoryVector()]
        if request.param == "embedded":
            adapters = [SqliteAdapter({"path": f"{tmp_path}/a.db"}), QdrantAdapter({"url": f"embedded://{tmp_path}/b"})]
        library = Library(*[await stack.enter_async_context(adapter) for adapter in adapters])
        await library.open()
        yield library


async def test_a_page_comes_back_as_it_was(library: Library) -> None:
    page = Page(
        name="a",
        steps=["render", "text"],
        html="<p>é</p>",
        text="é",
        outline=[{"level": 1, "text": "x"}],
        checksum="c0",
    )
    await library.save(page)
    assert await library.get("a") == page
    assert await library.get("b") is None


async def test_a_later_page_of_a_name_takes_the_place_of_the_earlier(library: Library) -> None:
    for text in ("apples and pears", "apples and pears", "a railway station"):
        await library.save(Page(name="a", steps=["render"], html=f"<p>{text}</p>"))
    await library.save(Page(name="b", steps=["render"], html="<p>apples</p>"))
    assert await library.count() == 2
    assert [found.page["name"] for found in await library.search("railways", limit=1)] == ["a"]
    assert [found.page["name"] for found in await library.search("pears and apples", limit=1)] == ["b"]


async def test_a_page_that_was_indexed_and_not_stored_is_not_found(library: Library) -> None:
    """As where the process was killed between the two: it is saved again, as nobody was told that it is."""
    await library.save(Page(name="a", steps=["render"], html="<p>apples</p>"))
    await library.database.execute("DELETE FROM fastblocks_pages")
    assert await library.search("apples") == []
    await library.open()
    await library.save(Page(name="a", steps=["render"], html="<p>apples</p>"))
    assert len(await library.search("apples")) == 1
