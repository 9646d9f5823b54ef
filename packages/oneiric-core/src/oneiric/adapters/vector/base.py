"""The contract of a vector index.

A collection holds records of one dimension and one distance. A record is an id (any string that isn't empty, of up to 512
characters), a vector of finite numbers, kept as 32-bit floats, and a payload: a JSON object, its integers within ±2**53,
nested 32 levels deep at most. No string of a record holds a NUL character or a lone surrogate. With Distance.COSINE a vector
may come back scaled to length 1. `oneiric.adapters.vector.records` has the checks, for adapters to call.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping  # noqa: TC003 - of a dataclass's fields
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from oneiric.adapters.base import Adapter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from oneiric.adapters.vector.filters import Filter

DURABLE = "durable"
"""What an upsert or delete has done, once it has returned, survives the end of the process."""
EXACT_SEARCH = "exact-search"
"""A search finds the true nearest, not most of them."""
FILTERED_SEARCH = "filtered-search"
"""`search`, `count`, `delete` and `scroll` take a filter, and a filtered search gives `limit` records where so many match."""

MAX_ID_LENGTH = 512
MAX_DIMENSION = 65_536
MAX_PAYLOAD_DEPTH = 32


class Distance(StrEnum):
    """How near two vectors are. A score is higher for nearer ones, and the same on every backend."""

    COSINE = "cosine"
    """The score is the cosine of the angle, -1 to 1; a vector of zeros is refused."""
    DOT = "dot"
    """The score is the inner product."""
    EUCLIDEAN = "euclidean"
    """The score is the distance with its sign turned: 0 for the same point, -5 at a distance of 5."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored."""

    id: str
    vector: Sequence[float]
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """What a search has found."""

    id: str
    score: float
    """Higher is nearer; see Distance."""
    payload: Mapping[str, Any]
    vector: Sequence[float] | None = None
    """Where it was asked for."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection, as it was created."""

    name: str
    dimension: int
    distance: Distance


class VectorAdapter(Adapter):
    """A vector index.

    Each method raises NotInitialized before `init`, CollectionNotFound where there is no such collection, InvalidRecord for a
    record or vector that can't be stored, InvalidRequest for a negative limit, a batch size below 1 and the like,
    InvalidFilter for what is no Filter, Unsupported for one that can't be expressed, ConnectionFailed and DeadlineExceeded.
    `timeout` is in seconds; None is the adapter's default.
    """

    @abstractmethod
    async def create_collection(
        self, name: str, dimension: int, *, distance: Distance = Distance.COSINE, timeout: float | None = None
    ) -> None:
        """Create a collection; nothing where the same one is there. Raises CollectionExists where another of its name is.

        A name has 1 to 60 letters (a to z), digits, `-` and `_`, and starts with a letter; a dimension is 1 to 65,536. Raises
        InvalidRequest for others.
        """

    @abstractmethod
    async def drop_collection(self, name: str, *, timeout: float | None = None) -> None:
        """Drop a collection and all in it; nothing where there is none."""

    @abstractmethod
    async def list_collections(self, *, timeout: float | None = None) -> list[Collection]:
        """The collections, in the order of their names."""

    @abstractmethod
    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        """Store records, each whole in place of one of the same id; of two with one id the later. Returns how many ids.

        All are checked before any is stored.
        """

    @abstractmethod
    async def search(
        self,
        collection: str,
        vector: Sequence[float],
        *,
        limit: int = 10,
        filter: Filter | None = None,
        with_vectors: bool = False,
        timeout: float | None = None,
    ) -> list[Match]:
        """The nearest records that meet the filter, the nearest first; equal ones in no order. A limit of 0 gives none."""

    @abstractmethod
    async def search_many(
        self,
        collection: str,
        vectors: Sequence[Sequence[float]],
        *,
        limit: int = 10,
        filter: Filter | None = None,
        with_vectors: bool = False,
        timeout: float | None = None,
    ) -> list[list[Match]]:
        """A search for each of the vectors, in their order, in one round trip where the backend has it."""

    @abstractmethod
    async def get(self, collection: str, ids: Sequence[str], *, timeout: float | None = None) -> list[Record]:
        """The records of these ids that there are, in the order of the ids, each once."""

    @abstractmethod
    async def delete(
        self,
        collection: str,
        ids: Sequence[str] | None = None,
        *,
        filter: Filter | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete by ids or by a filter; ids that aren't there are no error.

        Exactly one of the two is given: InvalidRequest otherwise, so that a variable that is None by mistake deletes nothing.
        """

    @abstractmethod
    async def count(self, collection: str, *, filter: Filter | None = None, timeout: float | None = None) -> int:
        """How many records meet the filter, exactly."""

    @abstractmethod
    def scroll(
        self, collection: str, *, filter: Filter | None = None, batch_size: int = 256, timeout: float | None = None
    ) -> AsyncGenerator[Record]:
        """Every record that meets the filter, once, in no order; `timeout` bounds each batch.

        What is written meanwhile may be among them or not. Close it (`contextlib.aclosing`) where you may leave it early.
        """

    @property
    @abstractmethod
    def raw(self) -> Any:
        """The driver's own client, for what the contract doesn't cover. Raises NotInitialized."""
