"""What `oneiric demo` does with an adapter, by its contract: on the in-memory references, whatever else is installed."""

from __future__ import annotations

import pytest
from oneiric.testing.memory import MemoryVector
from oneiric_mcp.demo.vector import embed, use_vector


async def _answer() -> str:
    async with MemoryVector() as index:
        return await use_vector(index)


async def test_a_vector_index_finds_installed_packages_by_words() -> None:
    answer = await _answer()
    assert "are pydantic (0." in answer, answer


async def test_it_says_where_a_filter_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    count = MemoryVector.count
    monkeypatch.setattr(MemoryVector, "count", lambda self, name, **_: count(self, name))
    with pytest.raises(AssertionError, match="counted"):
        await _answer()


def test_texts_of_the_same_words_are_near_and_a_text_without_words_is_not_zero() -> None:
    def product(a: str, b: str) -> float:
        return sum(x * y for x, y in zip(embed(a), embed(b), strict=True))

    assert product("validate the data", "data: VALIDATE the!") == pytest.approx(1)
    assert product("validate data", "validation of data") > product("validate data", "draw a picture")
    assert any(embed("!?"))
