"""Calls that may hang in C, where nothing can end them: a look-up of a name, a secret's file on a dead network share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MAX_CALLS = 16
"""How many of them run at a time; one that hangs keeps its place until it ends."""

_places = threading.BoundedSemaphore(MAX_CALLS)


class Late(Exception):
    """The call did not end in time, or there was no place for it in time."""


async def called(function: Callable[..., T], *arguments: Any, seconds: float) -> T:
    """What the function returns or raises, in a thread of its own. Raises Late after `seconds`.

    The thread is a daemon, unlike those of `asyncio.to_thread`, which a process waits for before it ends.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    try:
        async with asyncio.timeout(seconds):
            while not _places.acquire(blocking=False):  # noqa: ASYNC110 - other event loops' calls hold places too
                await asyncio.sleep(0.01)
            _start(loop, done, copy_context().run, function, *arguments)
            return await done
    except TimeoutError:
        if done.done() and not done.cancelled():  # the function's own
            raise
        raise Late from None


def _start(*call: Any) -> None:
    try:
        threading.Thread(target=_run, args=call, daemon=True).start()
    except BaseException:
        _places.release()
        raise


def _run(loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], run: Callable[..., Any], *call: Any) -> None:
    try:
        result, error = run(*call), None
    except BaseException as raised:  # noqa: BLE001 - it is the caller's
        result, error = None, raised
    finally:
        _places.release()
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(_settle, done, result, error)


def _settle(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        done.set_exception(error)
    else:  # what a future can't hold, or what would end the event loop
        done.set_exception(RuntimeError(type(error).__name__))
