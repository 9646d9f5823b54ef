"""SIGTERM and SIGINT: the end of a block, after an orderly close."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from oneiric.errors import ShuttingDown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@asynccontextmanager
async def until_signalled(  # noqa: C901 - one story, whose parts share what has happened
    close: Callable[[], Awaitable[None]],
) -> AsyncIterator[None]:
    """Run the block until it ends or a signal comes; then await `close`, and cancel the block if it still runs.

    What the block raises because of that (its cancellation, ShuttingDown) goes no further. The handlers that were there before
    are back from the first signal on, so that a second one is not caught, and after the block. Main thread only.
    """
    loop, block = asyncio.get_running_loop(), asyncio.current_task()
    cancelled_before = block.cancelling() if block is not None else 0
    closing: list[asyncio.Task[None]] = []
    is_signalled = has_left = was_cancelled = is_ended_by_us = False

    async def end_block() -> None:
        nonlocal was_cancelled
        try:
            await close()
        finally:
            if block is not None and not has_left:
                was_cancelled = block.cancel()

    def note(*_: object) -> None:
        nonlocal is_signalled
        is_signalled = True
        restore()
        loop.call_soon_threadsafe(begin)

    def begin() -> None:
        if not closing:
            closing.append(loop.create_task(end_block()))

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    # Not `loop.add_signal_handler`, which Windows hasn't, and which can't give back the handler that was there.
    before: dict[int, Any] = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield
    except BaseException as error:
        if not closing or not _is_of_the_close(error, was_cancelled):
            raise
        is_ended_by_us = True
    finally:
        has_left = True
        if is_signalled:  # it may have come as the block was just ending
            begin()
            await asyncio.wait(closing)
        else:
            restore()
    if block is not None and was_cancelled and block.uncancel() > cancelled_before and is_ended_by_us:
        raise asyncio.CancelledError  # by somebody else too
    for task in closing:
        task.result()


def _is_of_the_close(error: BaseException, was_cancelled: bool) -> bool:
    """Whether it is nothing but what a close does to those who are at work."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_of_the_close(inner, was_cancelled) for inner in error.exceptions)
    return isinstance(error, ShuttingDown) or (isinstance(error, asyncio.CancelledError) and was_cancelled)
