"""Searches: through the HNSW index, or exact, by what the filter leaves.

An HNSW index is quick and nearly exact where most of what it meets counts. Where a filter leaves little of that, it has to
walk on and on, and misses some (1% of 20,000 records: 9 ms, recall .85 to .94); there the payload's GIN index finds the
records first, and each is compared (0.3 ms, recall 1). How many a filter leaves is not guessed: the first search by it looks
for as many as may be compared and one more, and answers, where these are all. Where they aren't, later ones go to the HNSW
index at once.

No search gives less than its limit where there is more: one through the index that does is made again, exactly.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric_postgres.vector.filters import where
from oneiric_postgres.vector.transactions import transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any

    from asyncpg import Connection, Record
    from oneiric.adapters.vector import Filter

    from oneiric_postgres.vector.collection import Stored

_MOST_CANDIDATES = 1_000
"""pgvector's limit of `hnsw.ef_search`."""
_MOST_INDEXED = 500
"""Beyond this limit a search is exact: the index is for few."""
_LEAST_EXACT, _MOST_EXACT = 1_000, 20_000
"""A tenth of the records are compared one by one, but no fewer and no more than this: a few milliseconds' worth."""
_REMEMBERED = 1_000
"""How many filters are remembered as met by many."""
_REMEMBERED_FOR = 60.0
"""Seconds after which it is looked again."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for. `vector` is SQL: the one that is bound, or that of a list."""

    stored: Stored
    limit: int
    filter: Filter | None
    with_vectors: bool

    @property
    def bound(self) -> int:
        """Up to so many records that meet the filter are all compared."""
        return min(max(self.stored.rows // 10, _LEAST_EXACT), _MOST_EXACT)


def session(ef_search: int) -> dict[str, str]:
    """The session's settings for these searches: an index scan goes on until it has its limit. In relaxed order it finds more
    of the nearest; they are put in order when they come.
    """
    return {"hnsw.iterative_scan": "relaxed_order", "hnsw.ef_search": str(ef_search)}


class Searches:
    """Answers questions, and remembers which filters are met by many.

    `keeps_session` is whether connections have the settings of `session` already; PgBouncer's don't.
    """

    def __init__(self, ef_search: int, *, keeps_session: bool) -> None:
        self._ef_search = ef_search
        self._keeps_session = keeps_session
        self._met_by_many: dict[tuple[int, Filter], float] = {}

    def one(self, connection: Connection, question: Question, vector: bytes) -> Awaitable[list[Record]]:
        """The rows that are nearest to a vector, in no order."""
        return self._answer(connection, question, _ForOne(question), vector, 1)

    def many(self, connection: Connection, question: Question, vectors: list[bytes]) -> Awaitable[list[Record]]:
        """The same for each of several; `number` says for which, from 1."""
        return self._answer(connection, question, _ForMany(question), vectors, len(vectors))

    async def _answer(
        self, connection: Connection, question: Question, sql: _ForOne, vectors: bytes | list[bytes], number: int
    ) -> list[Record]:
        local = self._local(question)
        if not local:
            return await self._rows(connection, question, sql, vectors, number)
        async with transaction(connection):
            await connection.execute("; ".join(f"SET LOCAL {name} = {value}" for name, value in local.items()))
            return await self._rows(connection, question, sql, vectors, number)

    def _local(self, question: Question) -> dict[str, str]:
        """What is set for this search alone. With as many candidates as its limit, a tenth of the nearest would be missed."""
        is_large = question.stored.is_indexed and question.limit > self._ef_search
        if self._keeps_session and not is_large:
            return {}
        return session(min(2 * question.limit, _MOST_CANDIDATES) if is_large else self._ef_search)

    async def _rows(
        self, connection: Connection, question: Question, sql: _ForOne, vectors: bytes | list[bytes], number: int
    ) -> list[Record]:
        values: list[Any] = [vectors]
        condition = where(question.filter, values)
        if not question.stored.is_indexed or question.limit > _MOST_INDEXED:
            return await _fetch(connection, sql.exact(condition), values)
        if question.filter is not None and not self._is_met_by_many(question):
            rows = await _fetch(connection, sql.among(condition), values)
            if not rows or rows[0]["met"] <= question.bound:
                return rows
            self._remember(question)
        rows = await _fetch(connection, sql.nearest(condition), values)
        if len(rows) < question.limit * number:
            return await _fetch(connection, sql.exact(condition), values)
        return rows

    def _is_met_by_many(self, question: Question) -> bool:
        until = self._met_by_many.get((question.stored.number, question.filter))  # type: ignore[arg-type]
        return until is not None and until > asyncio.get_running_loop().time()

    def _remember(self, question: Question) -> None:
        known, key = self._met_by_many, (question.stored.number, question.filter)
        known.pop(key, None)  # type: ignore[arg-type]
        if len(known) >= _REMEMBERED:
            del known[next(iter(known))]
        known[key] = asyncio.get_running_loop().time() + _REMEMBERED_FOR  # type: ignore[index]


class _ForOne:
    """The SQL for one vector, bound as $1. A limit is part of the text: bound, it would mislead the planner."""

    vector = "$1"

    def __init__(self, question: Question) -> None:
        stored = question.stored
        self._question = question
        self._table = stored.table
        self._columns = "id, payload, embedding" if question.with_vectors else "id, payload"
        self._distance = f"embedding {stored.operator} {self.vector}"

    def nearest(self, condition: str) -> str:
        """Through the HNSW index. The planner takes a filter for more selective than it is here, so it isn't told of it:
        OFFSET 0 keeps what is inside apart, and the index gives one row after the other until as many as wanted meet it.
        """
        if not condition:
            return self._found(
                f"SELECT {self._columns}, {self._distance} AS distance FROM {self._table} "  # noqa: S608
                f"ORDER BY {self._distance} LIMIT {self._question.limit}"
            )
        return self._found(
            f"SELECT {self._columns}, distance FROM (SELECT *, {self._distance} AS distance FROM {self._table} "  # noqa: S608
            f"ORDER BY {self._distance} OFFSET 0) AS near {condition} LIMIT {self._question.limit}"
        )

    def exact(self, condition: str) -> str:
        """Through all that is left: no index has the order of a sum."""
        return self._found(
            f"SELECT {self._columns}, {self._distance} AS distance FROM {self._table} {condition} "  # noqa: S608
            f"ORDER BY ({self._distance}) + 0 LIMIT {self._question.limit}"
        )

    def among(self, condition: str) -> str:
        """The nearest of all that are left, if they aren't more than the bound; `met` says how many there are."""
        # Only places and distances are sorted: payloads may be large.
        return (
            f"WITH met AS MATERIALIZED (SELECT ctid AS place, {self._distance} AS distance FROM {self._table} "  # noqa: S608
            f"{condition} LIMIT {self._question.bound + 1}) "
            f"SELECT {self._columns}, distance, (SELECT count(*) FROM met) AS met "
            f"FROM (SELECT * FROM met ORDER BY distance LIMIT {self._question.limit}) AS found "
            f"JOIN {self._table} AS stored ON stored.ctid = found.place"
        )

    def _found(self, sql: str) -> str:
        return sql


class _ForMany(_ForOne):
    """The same for each vector of an array, bound as $1."""

    vector = "asked.vector"

    def among(self, condition: str) -> str:
        """The same; here it is the places alone that are found first, once for all vectors."""
        found = (
            f"SELECT {self._columns}, {self._distance} AS distance FROM met "  # noqa: S608
            f"JOIN {self._table} AS stored ON stored.ctid = met.place ORDER BY distance LIMIT {self._question.limit}"
        )
        return (
            f"WITH met AS MATERIALIZED (SELECT ctid AS place FROM {self._table} {condition} "  # noqa: S608
            f"LIMIT {self._question.bound + 1}) {self._found(found, ', (SELECT count(*) FROM met) AS met')}"
        )

    def _found(self, sql: str, more: str = "") -> str:
        type_ = self._question.stored.type
        return (
            f"SELECT asked.number, found.*{more} "  # noqa: S608
            f"FROM unnest($1::{type_}[]) WITH ORDINALITY AS asked (vector, number) "
            f"CROSS JOIN LATERAL ({sql}) AS found"
        )


def _fetch(connection: Connection, sql: str, values: list[Any]) -> Awaitable[list[Record]]:
    rows: Awaitable[list[Record]] = connection.fetch(sql, *values)
    return rows
