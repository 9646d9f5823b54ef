"""A collection, as it lies in the database: its tables' names, and the words that its SQL is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from oneiric.adapters.vector import Collection, Distance

from oneiric_postgres.vector.encoding import Encoder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_DIMENSION = 16_000
"""Of a vector in pgvector, 16-bit or not."""

_OPERATORS = {Distance.COSINE: "<=>", Distance.DOT: "<#>", Distance.EUCLIDEAN: "<->"}
_CLASSES = {Distance.COSINE: "cosine", Distance.DOT: "ip", Distance.EUCLIDEAN: "l2"}


def quoted(name: str) -> str:
    """A name as an identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Stored:
    """A collection with what its tables are called, as it was when it was looked up."""

    about: Collection
    number: int
    """Its own: who has looked up one that was dropped since doesn't find another of its name in its place."""
    is_half: bool
    schema: str
    extension: str
    """The schema that pgvector is in."""
    is_indexed: bool
    """Whether the HNSW index is there and complete."""
    rows: int
    """How many rows it has, about; 0 where nobody knows yet."""

    @classmethod
    def of(cls, row: Mapping[str, Any], schema: str, extension: str) -> Stored:
        """From its row in the registry."""
        about = Collection(row["name"], row["dimension"], Distance(row["distance"]))
        return cls(about, row["number"], row["halfvec"], schema, extension, row["indexed"], max(0, int(row["rows"])))

    @cached_property
    def relation(self) -> str:
        """The table's name, unquoted and without its schema; with `_hnsw` or `_payload` behind it, that of an index."""
        return relation_of(self.about.name, self.number)

    @cached_property
    def table(self) -> str:
        """The table's name, to be put into SQL."""
        return f"{quoted(self.schema)}.{quoted(self.relation)}"

    @cached_property
    def type(self) -> str:
        """The vectors' type."""
        return f"{quoted(self.extension)}.{'halfvec' if self.is_half else 'vector'}"

    @cached_property
    def operator(self) -> str:
        """The one that gives the distance: lower is nearer."""
        return f"OPERATOR({quoted(self.extension)}.{_OPERATORS[self.about.distance]})"

    @cached_property
    def operator_class(self) -> str:
        """That of an HNSW index."""
        kind = "halfvec" if self.is_half else "vector"
        return f"{quoted(self.extension)}.{kind}_{_CLASSES[self.about.distance]}_ops"

    @cached_property
    def encoder(self) -> Encoder:
        """Of its records and vectors."""
        return Encoder(self.about, is_half=self.is_half)

    @property
    def can_be_indexed(self) -> bool:
        """Whether an HNSW index takes so many dimensions."""
        return self.about.dimension <= most_indexed(self.is_half)

    @property
    def is_cosine(self) -> bool:
        """Whether a score is 1 less the distance; else it is the distance with its sign turned."""
        return self.about.distance is Distance.COSINE


def most_indexed(is_half: bool) -> int:
    """How many dimensions an HNSW index takes."""
    return 4_000 if is_half else 2_000


def relation_of(name: str, number: int) -> str:
    """A table's name that says whose it is, fits into PostgreSQL's 63 bytes with an index's ending, and is nobody else's."""
    return f"{name[:40]}_{number}"
