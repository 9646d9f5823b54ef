"""One process at a time has a store: the others don't know when it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from session_buddy.errors import StoreInUse

if TYPE_CHECKING:
    from pathlib import Path


class StoreLock:
    """A lock beside the config file, which ends with the process, whatever that dies of. Without a file there is none."""

    def __init__(self, config: Path | None) -> None:
        self._lock = None if config is None else FileLock(config.with_name(f"{config.name}.in-use"), timeout=0)

    def acquire(self) -> None:
        """Raises StoreInUse where another process has it."""
        if self._lock is None:
            return
        try:
            self._lock.acquire()
        except Timeout:
            raise StoreInUse(f"Another process has the store open: it has locked {self._lock.lock_file}.") from None

    def release(self) -> None:
        """Let others have it."""
        if self._lock is not None:
            self._lock.release()
