"""qdrant-client's local mode, in memory or in a folder; it is used in a thread of its own, as it never lets others run."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from oneiric.errors import ConnectionFailed
from qdrant_client import AsyncQdrantClient

from oneiric_qdrant.client import ClientStore
from oneiric_qdrant.folder import LOCAL, Folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oneiric.adapters.vector import Collection

    from oneiric_qdrant.points import Point


class LocalStore(ClientStore):
    """Local mode."""

    def __init__(self, raw: AsyncQdrantClient, folder: Folder | None) -> None:
        super().__init__(raw)
        self._folder = folder

    @classmethod
    def opened(cls, path: str) -> LocalStore:
        """Open the folder; nothing but memory where the path is empty."""
        if not path:
            return cls(AsyncQdrantClient(":memory:"), None)
        folder = Folder(path, LOCAL)
        folder.take()  # before local mode does: where it can't have its own lock, it leaves its files open
        try:
            with warnings.catch_warnings():
                _be_quiet()
                # Where it is to check the thread, it asks SQLite whether it has to, on a connection that it never closes.
                client = AsyncQdrantClient(path=str(folder.path), force_disable_check_same_thread=True)
                store = cls(client, folder)
                store._hurry()
                return store
        except Exception as error:
            folder.release()
            raise ConnectionFailed(
                f"The folder {str(folder.path)!r} can't be read: it is damaged, or of another version of local mode.",
                hint="Restore it from a backup, or give another folder.",
                transient=False,
            ) from error

    async def ask(self) -> None:
        """See that the folder is there still."""
        if self._folder is not None:
            self._folder.check()

    async def create(self, new: Collection, indexes: Mapping[str, str], timeout: int) -> None:  # noqa: ARG002
        """Create it, without indexes: local mode has none."""
        await super().create(new, {}, timeout)
        self._hurry()

    async def upsert(self, collection: str, points: Sequence[Point], timeout: int) -> None:
        """Store them one by one: local mode knows no batch, but checks all of them before."""
        with warnings.catch_warnings():
            _be_quiet()
            await super().upsert(collection, points, timeout)

    def _written(self, vector: Sequence[float]) -> Any:
        """An array of NumPy's, as which local mode keeps it: from a list it would make one, number by number.

        By its name, which is empty: what comes without one has to be a list.
        """
        return {"": np.asarray(vector, dtype=np.float32)}

    async def drop(self, name: str, timeout: int) -> None:
        """Drop it, and close its file, which local mode forgets."""
        found = self._collections.get(name)
        if found is not None:
            found.close()
        await super().drop(name, timeout)

    @property
    def _collections(self) -> dict[str, Any]:
        """Local mode's own objects."""
        local: Any = self.raw._client  # noqa: SLF001 - there is no other way to them
        collections: dict[str, Any] = local.collections
        return collections

    def _hurry(self) -> None:
        """Have SQLite write without a wait for the disk at each point, as each is committed apart.

        What is committed survives the end of the process; a loss of power may take the last points.
        """
        for collection in self._collections.values():
            if collection.storage is not None:
                collection.storage.storage.execute("PRAGMA journal_mode = WAL")
                collection.storage.storage.execute("PRAGMA synchronous = NORMAL")

    async def close(self) -> None:
        """Close its files, and let go of the folder."""
        try:
            await super().close()
        finally:
            if self._folder is not None:
                with suppress(OSError):
                    self._folder.release()


def _be_quiet() -> None:
    """Local mode warns of its slowness from 20,000 points on; the README does."""
    warnings.filterwarnings("ignore", message="Local mode is not recommended")
