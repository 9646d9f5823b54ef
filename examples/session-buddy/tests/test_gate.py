"""The gate that writers pass."""

from __future__ import annotations

import asyncio

import pytest

from session_buddy.gate import Gate


async def test_it_closes_when_all_are_through_and_lets_nobody_in_until_it_opens() -> None:
    gate, told = Gate(), list[str]()

    async def writer(name: str, turns: int) -> None:
        async with gate.passing():
            told.append(f"{name} in")
            for _ in range(turns):
                await asyncio.sleep(0)
            told.append(f"{name} out")

    first = asyncio.create_task(writer("a", 10))
    await asyncio.sleep(0)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(writer("b", 3))
        await asyncio.sleep(0)
        async with gate.closed():
            tasks.create_task(writer("c", 0))
            for _ in range(20):
                await asyncio.sleep(0)
            told.append("closed")
    assert first.done()
    assert told == ["a in", "b in", "b out", "a out", "closed", "c in", "c out"]


async def test_it_opens_again_where_the_block_fails_or_the_wait_is_cancelled() -> None:
    gate = Gate()
    with pytest.raises(ValueError, match="no"):
        async with gate.closed():
            raise ValueError("no")

    async def close() -> None:
        async with gate.closed():
            pass

    async with gate.passing():
        closing = asyncio.create_task(close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    async with asyncio.timeout(5), gate.passing(), gate.passing():
        pass
