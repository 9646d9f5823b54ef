"""What an engine of Qdrant's can be asked: the calls of the contract, by points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from oneiric.errors import CollectionExists, CollectionNotFound, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oneiric.adapters.vector import Collection, Filter

    from oneiric_qdrant.points import Found, Point


class Store(ABC):
    """The calls. None of them has a deadline of its own; `timeout` is what a server is told, in seconds."""

    raw: Any
    """The driver's own object."""

    @abstractmethod
    async def ask(self) -> None:
        """Raise where it doesn't work."""

    @abstractmethod
    async def close(self) -> None:
        """Close it."""

    def abandon(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Called where `close` can't come, as a call hangs: let go at once of what can be."""

    @abstractmethod
    async def collections(self) -> list[Collection]:
        """Every collection that the contract can express, by name."""

    @abstractmethod
    async def collection(self, name: str) -> Collection:
        """The collection of that name. Raises CollectionNotFound."""

    def forget(self) -> None:  # noqa: B027 - an engine of one's own knows what there is
        """Called after an error: take nothing as known."""

    @abstractmethod
    async def create(self, new: Collection, indexes: Mapping[str, str], timeout: int) -> None:
        """Create a collection. Raises CollectionExists where there is another of its name."""

    @abstractmethod
    async def drop(self, name: str, timeout: int) -> None:
        """Drop a collection; nothing where there is none."""

    async def build_indexes(self, name: str) -> None:  # noqa: ARG002 - most have none to build
        """Build a collection's HNSW index. Raises Unsupported where that is not to be asked for."""
        raise Unsupported(
            "Indexes are built here by Edge alone: a server builds its own by itself, and local mode has none.",
            hint="Leave the call out, or set `engine` to 'edge'.",
        )

    @abstractmethod
    async def upsert(self, collection: str, points: Sequence[Point], timeout: int) -> None:
        """Store points, at least one, all of them or none."""

    @abstractmethod
    async def search(
        self,
        collection: Collection,
        vectors: Sequence[Sequence[float]],
        limit: int,
        condition: Filter | None,
        with_vectors: bool,
        timeout: int,
    ) -> list[list[Found]]:
        """The nearest points to each of the vectors, the nearest first."""

    @abstractmethod
    async def get(self, collection: str, ids: Sequence[str], timeout: int) -> list[Found]:
        """The points of these ids that there are, in no order."""

    @abstractmethod
    async def delete(self, collection: str, ids: Sequence[str], timeout: int) -> None:
        """Delete the points of these ids, at least one."""

    @abstractmethod
    async def delete_by(self, collection: str, condition: Filter, timeout: int) -> None:
        """Delete the points that meet the filter."""

    @abstractmethod
    async def count(self, collection: str, condition: Filter | None, timeout: int) -> int:
        """How many points meet the filter."""

    @abstractmethod
    async def page(
        self, collection: str, condition: Filter | None, size: int, start: str | int | None, timeout: int
    ) -> tuple[list[Found], str | int | None]:
        """So many points that meet the filter, by their ids, and the id at which the next page starts."""


def check_same(new: Collection, there: Collection) -> None:
    """Raise CollectionExists where the collection that is there isn't the one that is to be made."""
    if new != there:
        raise CollectionExists(
            f"There is a collection {there.name!r} already: of dimension {there.dimension}, by {there.distance}.",
            hint="Choose another name, or drop it first.",
        )


def not_found(name: object) -> CollectionNotFound:
    """The error for a collection that isn't there."""
    return CollectionNotFound(
        f"There is no collection {str(name)[:60]!r}.", hint="Create it with `create_collection`, or check its name."
    )
