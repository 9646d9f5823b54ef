"""What the demo does to show a swap: the adapter is replaced under tasks that call it without a pause."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.vector import VectorAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.adapters.base import Adapter
    from oneiric.lifecycle import AdapterManager

_TASKS = 16


async def swap_under_load(adapters: AdapterManager, name: str, config: Mapping[str, Any]) -> str:
    """Swap an instance for a new adapter of the same config; returns what came of it. Raises where a call fails."""
    adapter = await adapters.get(name)
    calls = 0
    is_over = asyncio.Event()

    async def call_without_pause() -> None:
        nonlocal calls
        while not is_over.is_set() and await _call(adapter):
            calls += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_TASKS):
            tasks.create_task(call_without_pause())
        try:
            await adapters.swap(name, config)
        finally:
            is_over.set()
    under = f" under {calls:,} calls of {_TASKS} tasks; none failed" if calls else ""
    return f"swapped for a new adapter{under}"


async def _call(adapter: Adapter) -> bool:
    """One call of the adapter; False where there is none to show for its type."""
    match adapter:
        case DatabaseAdapter():
            if await adapter.fetch_value("select 1") != 1:
                raise AssertionError("a query gave a wrong answer")
        case VectorAdapter():
            await adapter.list_collections()
        case _:
            return False
    return True
