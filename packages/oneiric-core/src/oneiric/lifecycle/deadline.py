"""Waiting for an adapter's own code, which may hang, raise anything, or refuse to be cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, cast

from oneiric.adapters.cancellation import ended

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_GRACE = 1.0
"""Seconds that a call gets to end after it was cancelled, before it is left to itself."""


class DeadlinePassed(Exception):
    """The call did not end in time. Not a TimeoutError, which may be the call's own."""


class Cancelled(Exception):
    """The call raised CancelledError though nobody cancelled it: an adapter may await a task that it has cancelled."""


async def within(seconds: float, call: Coroutine[Any, Any, T]) -> T:
    """What `call` returns or raises, in a task of its own. Raises DeadlinePassed after `seconds`, and Cancelled.

    At the deadline, and where we are cancelled ourselves, the call is cancelled and gets a second to end; one that swallows
    its cancellation goes on alone, as nothing in Python can end it.
    """
    raised: list[BaseException] = []
    task = asyncio.ensure_future(_caught(call, raised))
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise DeadlinePassed
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_GRACE)
    if task.cancelled():
        raise Cancelled
    if raised:
        raise raised.pop()
    return cast("T", task.result())


async def to_its_end(call: Coroutine[Any, Any, T]) -> T:
    """What `call`, which has a deadline of its own, gives; where we are cancelled, we end when it does, and not before."""
    raised: list[BaseException] = []
    task = asyncio.ensure_future(_caught(call, raised))
    try:
        await ended(task)
    except asyncio.CancelledError:
        if not raised:
            raise
    if raised:
        raise raised.pop()
    return cast("T", task.result())


async def _caught(call: Coroutine[Any, Any, T], raised: list[BaseException]) -> T | None:
    """The call with its error put aside: out of a task, a SystemExit would end the event loop, past all who wait."""
    try:
        return await call
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001
        raised.append(error)
        return None
