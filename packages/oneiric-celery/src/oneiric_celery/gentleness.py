"""Work on many things that lets others have their turns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

T = TypeVar("T")

_AT_ONCE = 10
"""How many tasks are checked or encoded, at about a tenth of a millisecond each, before the loop goes on."""


async def gently(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, with a pause for the event loop now and then."""
    for number, item in enumerate(items, 1):
        yield item
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
