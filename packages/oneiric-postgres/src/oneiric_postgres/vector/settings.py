"""What the adapter needs to know; imports no driver."""

from __future__ import annotations

from typing import Annotated, Self

from oneiric.adapters.vector import DURABLE
from pydantic import AfterValidator, Field, model_validator

from oneiric_postgres.settings import ServerSettings


def _check_schema(name: str) -> str:
    if not name.strip() or "\0" in name or len(name.encode(errors="replace")) > 63:
        raise ValueError("the name of a schema has 1 to 63 bytes, and no NUL character")
    if name.startswith("pg_"):
        raise ValueError("names that start with `pg_` are PostgreSQL's own")
    return name


class PgVectorSettings(ServerSettings):
    """Which database holds the collections, and how they are indexed."""

    schema_name: Annotated[str, AfterValidator(_check_schema)] = "oneiric"
    """The schema of the collections' tables, made where there is none."""

    halfvec: bool = False
    """New collections keep vectors as 16-bit floats: half the space, three digits, up to 4,000 indexed dimensions."""

    m: Annotated[int, Field(ge=2, le=100)] = 16
    """How many neighbours each vector has in an HNSW index that is built: more of them raise recall, its size and its cost."""

    ef_construction: Annotated[int, Field(ge=4, le=1000)] = 64
    """How many candidates the building of an HNSW index looks at for each vector; at least twice `m`."""

    ef_search: Annotated[int, Field(ge=1, le=1000)] = 100
    """How many candidates a search in an HNSW index looks at: more of them raise recall and its time."""

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.ef_construction < 2 * self.m:
            raise ValueError("`ef_construction` is at least twice `m`")
        return self

    def lacks(self) -> frozenset[str]:
        """An embedded server without a path keeps nothing."""
        return frozenset({DURABLE}) if self.is_embedded and self.server.path is None else frozenset()
