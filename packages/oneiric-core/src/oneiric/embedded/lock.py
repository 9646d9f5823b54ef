"""Locks that the kernel releases when their process ends, however it does."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Self

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05
"""Seconds between two attempts: `flock` itself waits without a deadline, and can't be cancelled."""


class Lock:
    """An open file, made where there is none, that this process locks as a whole (`flock`), shared or alone.

    A child made by fork has the lock together with its parent: it is released when both have closed it or have ended. A
    program that is executed doesn't inherit it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = open(path, "rb+", buffering=0, opener=lambda name, _: os.open(name, flags, 0o600))  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def try_alone(self) -> bool:
        """Take it alone, unless somebody else has it."""
        return self._try(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        """Take a share, unless somebody has it alone."""
        return self._try(fcntl.LOCK_SH)

    async def alone(self) -> None:
        """Wait until nobody else has it."""
        await self._wait(fcntl.LOCK_EX)

    async def shared(self) -> None:
        """Wait until nobody has it alone. A lock that was held alone becomes a share, with a moment in between."""
        await self._wait(fcntl.LOCK_SH)

    def is_current(self) -> bool:
        """Whether the file is still what is found at its path, and has not been removed or replaced."""
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Release it, as far as this process goes. Idempotent."""
        self._file.close()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._file.closed

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def _wait(self, kind: int) -> None:
        pause = _SHORTEST_PAUSE
        while not self._try(kind):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def is_held(path: Path) -> bool:
    """Whether somebody has the lock alone."""
    with Lock(path) as lock:
        return not lock.try_shared()
