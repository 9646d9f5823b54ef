"""What this process holds that an adapter may leave behind: tasks, threads, and open files with the sockets among them."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDERS = (Path("/proc/self/fd"), Path("/dev/fd"))
_SETTLES_WITHIN = 5.0
"""Seconds in which what was closed has to be gone."""


@dataclass(frozen=True, slots=True)
class Held:
    """What was held at one moment."""

    tasks: frozenset[asyncio.Task[object]]
    threads: frozenset[threading.Thread]
    files: frozenset[str]
    """As `7: socket:[41523]`; none where the system doesn't say."""

    @classmethod
    def now(cls) -> Held:
        """What is held, after what is only waiting to be collected has been."""
        gc.collect()
        # The loop's own pool of threads grows by itself, whoever uses `asyncio.to_thread`.
        threads = (thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_"))
        return cls(frozenset(asyncio.all_tasks()), frozenset(threads), frozenset(_files()))

    def beyond(self, before: Held, allowed: int = 0) -> list[str]:
        """What is held by more than `allowed` beyond what was, as half a sentence each."""
        kinds = {
            "tasks": (self.tasks, before.tasks),
            "threads": (self.threads, before.threads),
            "files or sockets": (self.files, before.files),
        }
        return [
            f"{len(now) - len(then)} {kind} more than before, as {min(map(_described, now - then), default='')}"
            for kind, (now, then) in kinds.items()
            if len(now) - len(then) > allowed
        ]


async def left_behind(before: Held, allowed: int = 0) -> list[str]:
    """What is still held beyond what was, once it has had a while to go."""
    deadline = time.monotonic() + _SETTLES_WITHIN
    while (found := Held.now().beyond(before, allowed)) and time.monotonic() < deadline:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.02)
    return found


@contextmanager
def unclosed() -> Iterator[list[str]]:
    """Collect what Python says was never closed (its ResourceWarnings) in the block."""
    gc.collect()
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield found
        gc.collect()
    found += [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)]


def _files() -> Iterator[str]:
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    for number in os.listdir(folder) if folder else ():  # noqa: PTH208 - the names, quickly
        try:
            yield f"{number}: {os.readlink(f'{folder}/{number}')}"  # noqa: PTH115
        except OSError:  # closed since, as that of the listing itself
            continue


def _described(item: object) -> str:
    if isinstance(item, asyncio.Task):
        return f"the task {item.get_name()} of {getattr(item.get_coro(), '__qualname__', '?')}"
    return f"the thread {item.name}" if isinstance(item, threading.Thread) else str(item)
