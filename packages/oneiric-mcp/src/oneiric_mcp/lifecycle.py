"""The adapters that the server itself initialises, when a client asks for it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from oneiric.errors import ShuttingDown
from oneiric.lifecycle import AdapterManager, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric_mcp.installation import Installation

CLOSE_SECONDS = 30.0
"""How long all cleanups together may take when the server stops; each has its own, shorter deadline."""

_log = logging.getLogger(__name__)


class Instances:
    """The server's own AdapterManager, made when it is first needed: the server starts without a look at what is installed.

    `on_change` is told the names of the adapters of each instance whose state changes.
    """

    def __init__(self, installation: Installation, on_change: Callable[..., None]) -> None:
        self._installation = installation
        self._on_change = on_change
        self._manager: AdapterManager | None = None
        self._adapters: dict[str, str] = {}
        """Of each instance that was ever asked for, the adapter that it was started with."""
        self._starting: set[asyncio.Task[object]] = set()
        self._is_stopping = False

    @property
    def manager(self) -> AdapterManager:
        """The manager, with the config as its file is now. What runs keeps the config that it was initialised with."""
        config = self._installation.config
        if self._manager is None:
            self._manager = AdapterManager(config, self._installation.catalog, on_state=self._tell)
        if self._manager.config is not config:
            self._manager.config = config
        return self._manager

    async def start(self, name: str) -> None:
        """Initialise an instance, where it is not. Raises as `AdapterManager.get` does, ShuttingDown when the server stops."""
        if self._is_stopping:
            raise _stopping(name)
        # A task, as the server may stop in the middle of an init that would take its whole deadline.
        task: asyncio.Task[object] = asyncio.ensure_future(self.manager.get(name))
        self._starting.add(task)
        task.add_done_callback(self._started)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        if task.cancelled():
            raise _stopping(name)
        task.result()

    def adapter_of(self, name: str) -> str:
        """The adapter of an instance: as it was started, or else as it is configured.

        Raises UnknownAdapter, and ConfigError where the config can't be read.
        """
        return self._adapters.get(name) or self._installation.instance(name).adapter

    def state(self, name: str) -> State:
        """Where an instance is in its life; one that the server has not initialised is stopped. Raises UnknownAdapter."""
        return State.STOPPED if self._manager is None else self.manager.state(name)

    def is_running(self, name: str) -> bool:
        """Whether the server has an adapter of an instance."""
        return name in self._adapters and self.state(name) not in (State.STOPPED, State.FAILED)

    def open(self) -> None:
        """Take calls, after a `stop()` too."""
        self._is_stopping = False

    async def stop(self) -> None:
        """Cut off what is being initialised, take no more calls to initialise, and clean all up."""
        self._is_stopping = True
        for task in self._starting:
            task.cancel()
        manager, self._manager = self._manager, None
        if manager is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await manager.close()
        except TimeoutError:
            _log.error("Not all adapters were cleaned up within %g s.", CLOSE_SECONDS)

    def _started(self, task: asyncio.Task[object]) -> None:
        self._starting.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio would log it where the caller has gone

    def _tell(self, name: str, state: State) -> None:
        configured = self._installation.config.get(name)
        if state is State.INITIALIZING and configured is not None:
            self._adapters[name] = configured.adapter
        self._on_change(*filter(None, {self._adapters.get(name), configured and configured.adapter}))


def _stopping(name: str) -> ShuttingDown:
    return ShuttingDown(f"`{name}` is not initialised, as the server stops.", adapter=name)
