"""From the reflections in a database to another place for them, while they are written: copy, catch up, switch."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from session_buddy.errors import MoveFailed
from session_buddy.reflections import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from session_buddy.gate import Gate
    from session_buddy.reflection import Reflection
    from session_buddy.reflections import Reflections

_FEW = 50
"""So few may be left to be copied while writers wait."""
_ROUNDS = 20
"""So often it is tried to get there: writers that are quicker than the copy have to wait for the rest of it."""


class Place(Protocol):
    """Where reflections are kept: a database or a vector index. To add one twice is to add it once."""

    async def open(self) -> None:
        """Make what they are kept in."""

    async def add(self, reflections: Sequence[Reflection]) -> int:
        """Keep them."""

    async def count(self) -> int:
        """How many there are."""


async def copy(
    source: Reflections,
    target: Place,
    gate: Gate,
    written: set[str],
    switch: Callable[[], None],
    on_copied: Callable[[int], None],
) -> None:
    """Bring the target up to the source, and `switch` while no writer is at work.

    `written` are the ids of all that have been, or may have been, written since this began; who writes adds to it, before
    leaving the gate. Raises MoveFailed where the target has fewer than the source.
    """
    await target.open()
    copied = 0
    async with aclosing(source.batches()) as batches:
        async for batch in batches:
            await target.add(batch)
            copied += len(batch)
            on_copied(copied)
    for _ in range(_ROUNDS):
        if len(written) <= _FEW:
            break
        copied += await _catch_up(source, target, written)
        on_copied(copied)
    async with gate.closed():
        copied += await _catch_up(source, target, written)
        on_copied(copied)
        there, here = await target.count(), await source.count()
        if there < here:
            raise MoveFailed(f"Of {here} reflections {there} have arrived: nothing was switched.")
        switch()


async def _catch_up(source: Reflections, target: Place, written: set[str]) -> int:
    """Copy what was written since; returns how many."""
    ids = list(written)
    written.difference_update(ids)
    for start in range(0, len(ids), BATCH):
        if batch := await source.get(ids[start : start + BATCH]):
            await target.add(batch)
    return len(ids)
