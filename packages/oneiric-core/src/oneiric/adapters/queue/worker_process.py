"""A queue's worker in a process of its own, for demos and tests."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING, Self

from oneiric.adapters.cancellation import undisturbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ENDS_WITHIN = 20.0
"""Seconds that a worker gets to end what it is doing."""


class WorkerProcess:
    """A worker that runs until it is stopped: at the end of `with` or `async with`, which neither blocks the loop nor
    leaves the process behind where it is cancelled.

    `environment` replaces ours where it is given. `is_quiet` drops what the worker prints; its errors are seen.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, is_quiet: bool = False
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the caller's own
            command, env=environment, stdout=subprocess.DEVNULL if is_quiet else None, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """Its process's id, which is also that of its session and its group of processes."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, by itself or by us."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """End it as a supervisor does: it is asked to, and after twenty seconds killed. Blocks until then; idempotent."""
        self._process.terminate()
        try:
            self._process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as the system does that is short of memory; processes that it has begun live on. Idempotent."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await undisturbed(asyncio.to_thread(self.stop))
