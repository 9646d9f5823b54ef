"""The folder of embedded data: one process at a time, and one engine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import portalocker
from oneiric.errors import ConnectionFailed

if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO

LOCAL = "local"
EDGE = "edge"

_LOCK = "oneiric.lock"
_WRITTEN_BY = {LOCAL: "meta.json", EDGE: "edge.json"}
"""The file by which each engine's folder is known."""
_WAIT = 5.0
"""Seconds: where a process was killed, that of its Edge is still closing its files."""
_AGAIN = 0.02


class Folder:
    """A folder that is locked for this process, made where there is none."""

    def __init__(self, path: str, engine: str) -> None:
        self.path = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - which leaves it where there is no home
        self._engine = engine
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Folder:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def take(self) -> None:
        """Lock it. Raises ConnectionFailed where it can't be one, another engine wrote it, or somebody has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / _LOCK).open("ab")
        except OSError as error:
            raise ConnectionFailed(
                f"The folder {str(self.path)!r} can't be used: {error.strerror}.",
                hint="Check that it is a folder, and may be written to by this process.",
                transient=False,
            ) from error
        try:
            self._wait()
            self._check_engine()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let go of it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    @property
    def descriptor(self) -> int:
        """The lock's: a process that inherits it holds the lock too, until it ends."""
        assert self._lock is not None
        return self._lock.fileno()

    def check(self) -> None:
        """Raise ConnectionFailed where it is no longer the folder that was locked."""
        try:
            is_same = self._lock is not None and os.path.samestat(
                os.fstat(self._lock.fileno()), (self.path / _LOCK).stat()
            )
        except OSError:
            is_same = False
        if not is_same:
            raise ConnectionFailed(
                f"The folder {str(self.path)!r} was deleted or replaced; what is written now is lost.",
                hint="Put it back, or clean up and init anew.",
                transient=False,
            )

    def _wait(self) -> None:
        assert self._lock is not None
        give_up = time.monotonic() + _WAIT
        while True:
            try:
                portalocker.lock(self._lock, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
            except portalocker.exceptions.LockException as error:
                if time.monotonic() > give_up:
                    raise ConnectionFailed(
                        f"The folder {str(self.path)!r} is in use by another adapter, here or in another process.",
                        hint="One at a time: end the other, give this one another folder, or run a server.",
                    ) from error
                time.sleep(_AGAIN)
            else:
                return

    def _check_engine(self) -> None:
        for other in _WRITTEN_BY.keys() - {self._engine}:
            if (self.path / _WRITTEN_BY[other]).exists():
                raise ConnectionFailed(
                    f"The folder {str(self.path)!r} was written by the engine {other!r}.",
                    hint=f"Set `engine` to {other!r}, or give this one another folder.",
                    transient=False,
                )
