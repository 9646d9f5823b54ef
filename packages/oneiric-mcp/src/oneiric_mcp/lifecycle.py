"""The adapters that the server itself initialises, when a client asks for it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oneiric.lifecycle import AdapterManager, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

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

    @property
    def manager(self) -> AdapterManager:
        """The manager, with the config as its file is now. What runs keeps the config that it was initialised with."""
        config = self._installation.config
        if self._manager is None:
            self._manager = AdapterManager(config, self._installation.catalog, on_state=self._tell)
        if self._manager.config is not config:
            self._manager.config = config
        return self._manager

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

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Clean all of them up at the end."""
        try:
            yield
        finally:
            await self._close()

    async def _close(self) -> None:
        manager, self._manager = self._manager, None
        self._adapters.clear()
        if manager is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await manager.close()
        except TimeoutError:
            _log.error("Not all adapters were cleaned up within %g s.", CLOSE_SECONDS)

    def _tell(self, name: str, state: State) -> None:
        configured = self._installation.config.get(name)
        if state is State.INITIALIZING and configured is not None:
            self._adapters[name] = configured.adapter
        self._on_change(*filter(None, {self._adapters.get(name), configured and configured.adapter}))
