"""Running what awaits adapters: their drivers' threads may hang, and then nothing in Python ends them."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_GRACE = 1.0
"""Seconds that threads get to end when all else is done."""

_left: list[threading.Thread] = []
"""Threads that did not end."""


def run(call: Coroutine[Any, Any, T]) -> T:
    """What the call returns, as by `asyncio.run`, which would wait for threads that hang before it gives the answer."""
    runner = asyncio.Runner()
    executor = ThreadPoolExecutor()
    before = set(threading.enumerate())
    try:
        runner.get_loop().set_default_executor(executor)
        return runner.run(call)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        _left[:] = _hanging(before)
        if not _left:
            runner.close()


def end(*, ok: bool) -> None:
    """End the command, its answer printed: exit code 0 or 1. Where threads hang, the process ends without them."""
    if _left:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0 if ok else 1)
    if not ok:
        raise typer.Exit(1)


def _hanging(before: set[threading.Thread]) -> list[threading.Thread]:
    deadline = time.monotonic() + _GRACE
    new = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in new:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in new if thread.is_alive()]
