"""Which collections there are: found, made and dropped, each with its table in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.adapters.vector import Collection, Distance

from oneiric_postgres.vector.collection import Stored, quoted, relation_of
from oneiric_postgres.vector.transactions import transaction

if TYPE_CHECKING:
    from asyncpg import Connection

BUILDING = 0x6F6E6569
"""The upper half of the advisory lock under which a collection's indexes are built; the lower one is its table's oid."""

_FIND = """
SELECT c.number, c.name, c.dimension, c.distance, c.halfvec, coalesce(t.reltuples, 0) AS rows, EXISTS (
    SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = t.oid AND i.indisvalid AND x.relname = t.relname || '_hnsw'
) AS indexed
FROM {schema}.collections c LEFT JOIN pg_catalog.pg_class t
    ON t.relname = left(c.name, 40) || '_' || c.number AND t.relnamespace = pg_catalog.to_regnamespace($2)
WHERE c.name = $1
"""
_END_BUILDING = """
SELECT pg_catalog.pg_terminate_backend(l.pid)
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid AND a.usename = current_user
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1 AND l.objsubid = 1 AND a.datname = current_database()
    AND l.objid = pg_catalog.to_regclass($2)
"""


class Registry:
    """The collections of one schema."""

    def __init__(self, schema: str, extension: str) -> None:
        self._schema = schema
        self.extension = extension
        """The schema that pgvector is in."""
        self._table = f"{quoted(schema)}.collections"

    async def find(self, connection: Connection, name: str) -> Stored | None:
        """The collection of that name."""
        row = await connection.fetchrow(_FIND.format(schema=quoted(self._schema)), name, quoted(self._schema))
        return Stored.of(row, self._schema, self.extension) if row is not None else None

    async def list(self, connection: Connection) -> list[Collection]:
        """All of them, in the order of their names."""
        rows = await connection.fetch(f"SELECT name, dimension, distance FROM {self._table} ORDER BY name")  # noqa: S608
        return [Collection(row["name"], row["dimension"], Distance(row["distance"])) for row in rows]

    async def create(self, connection: Connection, wanted: Collection, *, is_half: bool) -> Collection:
        """Make it, unless one of its name is there, in this moment or since long ago. Returns the one that is there then."""
        while True:
            found = await self.find(connection, wanted.name)
            if found is not None:
                return found.about
            async with transaction(connection):
                # Waits for another transaction that is making one of the same name.
                number = await connection.fetchval(
                    f"INSERT INTO {self._table} (name, dimension, distance, halfvec) "  # noqa: S608
                    "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING number",
                    wanted.name,
                    wanted.dimension,
                    wanted.distance.value,
                    is_half,
                )
                if number is not None:
                    stored = Stored(wanted, number, is_half, self._schema, self.extension, is_indexed=False, rows=0)
                    await connection.execute(
                        f'CREATE TABLE {stored.table} (id text COLLATE "C" PRIMARY KEY, payload jsonb NOT NULL, '
                        f"embedding {stored.type}({wanted.dimension}) NOT NULL)"
                    )
                    return wanted

    async def drop(self, connection: Connection, name: str) -> None:
        """Drop it with its table, if it is there; who is building its indexes is stopped."""
        async with transaction(connection):
            number = await connection.fetchval(
                f"DELETE FROM {self._table} WHERE name = $1 RETURNING number",  # noqa: S608
                name,
            )
            if number is None:
                return
            table = f"{quoted(self._schema)}.{quoted(relation_of(name, number))}"
            await connection.execute(_END_BUILDING, BUILDING, table)
            await connection.execute(f"DROP TABLE IF EXISTS {table}")
