"""Waiting that no cancellation cuts short: for what must not be left half-done, as the closing of a connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def undisturbed(awaitable: Awaitable[T]) -> T:
    """Await something to its end, however often the task is cancelled meanwhile; then let the cancellation go on.

    A coroutine runs in a task of its own, and needs a deadline of its own, as nothing else ends it. Where the caller was
    cancelled, that is what comes out, and what the awaitable returned or raised is dropped.
    """
    future = asyncio.ensure_future(awaitable)
    await ended(future)
    return future.result()


async def ended(future: asyncio.Future[Any]) -> None:
    """As `undisturbed`, of a task or future whose outcome is for the caller to ask for: only a cancellation is raised."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancelled = error
    if not future.cancelled():
        future.exception()  # which nobody may ask for after a cancellation
    if cancelled is not None:
        raise cancelled
