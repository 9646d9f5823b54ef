"""What the demo does to show a swap: the adapter is replaced under tasks that call it without a pause."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oneiric.adapters.database import DatabaseAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.lifecycle import AdapterManager

_TASKS = 16


async def swap_under_load(adapters: AdapterManager, name: str, config: Mapping[str, Any]) -> str:
    """Swap an instance for a new adapter of the same config; returns what came of it. Raises where a call fails."""
    adapter = await adapters.get(name)
    if not isinstance(adapter, DatabaseAdapter):
        await adapters.swap(name, config)
        return "swapped for a new adapter"
    calls = 0
    is_over = asyncio.Event()

    async def call_without_pause(database: DatabaseAdapter) -> None:
        nonlocal calls
        while not is_over.is_set():
            if await database.fetch_value("select 1") != 1:
                raise AssertionError("a query gave a wrong answer")
            calls += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_TASKS):
            tasks.create_task(call_without_pause(adapter))
        try:
            await adapters.swap(name, config)
        finally:
            is_over.set()
    return f"swapped for a new adapter under {calls:,} queries of {_TASKS} tasks; none failed"
