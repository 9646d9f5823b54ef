"""How a store is used: in the event loop, where it is a server, or in a thread of its own."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from oneiric_qdrant import server
from oneiric_qdrant.edge.store import EdgeStore
from oneiric_qdrant.errors import OtherLoop
from oneiric_qdrant.lane import Lane
from oneiric_qdrant.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric_qdrant.settings import QdrantSettings
    from oneiric_qdrant.store import Store

T = TypeVar("T")

_GRACE = 5.0
"""Seconds that a call which is running in the thread gets to finish when the adapter is cleaned up."""


def chosen(settings: QdrantSettings) -> Engine:
    """The engine that the settings ask for; nothing is open yet."""
    if settings.folder is None:
        return Direct(lambda: server.opened(settings), settings.upload_concurrency)
    if settings.engine == "edge":
        return Threaded(lambda: EdgeStore.opened(settings.folder or "", exact=settings.exact))
    return Threaded(lambda: LocalStore.opened(settings.folder or ""))


class Engine(ABC):
    """What is open between `init()` and `cleanup()`."""

    uploads: int = 1
    """How many requests of one upsert may be under way at once."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        """The event loop that it was opened in."""

    def is_at_home(self) -> bool:
        """Whether this is that event loop."""
        return self.loop is asyncio.get_running_loop()

    @abstractmethod
    async def open(self) -> None:
        """Open it, and see that it works."""

    @abstractmethod
    async def run(self, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        """What a call on the store gives."""

    @abstractmethod
    async def close(self) -> None:
        """Close it."""

    @property
    @abstractmethod
    def raw(self) -> Any:
        """The driver's own object."""


class Direct(Engine):
    """A store whose calls wait in the event loop; it belongs to that loop."""

    def __init__(self, open_store: Callable[[], Store], uploads: int) -> None:
        super().__init__()
        self._store = open_store()
        self.uploads = uploads

    async def open(self) -> None:
        """Ask the server."""
        await self._store.ask()

    async def run(self, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        """Await it."""
        if not self.is_at_home():
            raise OtherLoop
        try:
            return await work(self._store)
        except Exception:
            self._store.forget()
            raise

    async def close(self) -> None:
        """Close its connections."""
        await self._store.close()

    @property
    def raw(self) -> Any:
        """The client."""
        return self._store.raw


class Threaded(Engine):
    """A store whose calls block: one after the other, in a thread of its own."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        super().__init__()
        self._lane = Lane(open_store)

    async def open(self) -> None:
        """Start the thread."""
        await self._lane.open()

    async def run(self, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        """Have it done there."""
        if not self.is_at_home():
            raise OtherLoop
        return await self._lane.call(work)

    async def close(self) -> None:
        """End the thread, which has a few seconds to finish what it is doing."""
        if not await self._lane.close(_GRACE) and self._lane.store is not None:
            self._lane.store.abandon()

    @property
    def raw(self) -> Any:
        """The client; it is used in the thread."""
        return self._lane.store.raw if self._lane.store is not None else None
