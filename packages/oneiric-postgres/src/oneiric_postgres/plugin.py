"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.adapters.database import CONCURRENT_READS, DURABLE, RETURNING, SAVEPOINTS
from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_postgres.settings import PostgresSettings


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the `postgres` adapter."""
    return [
        AdapterSpec(
            "postgres",
            type="database",
            summary="PostgreSQL through asyncpg, with a pool that resets only what was dirtied.",
            adapter="oneiric_postgres.adapter:PostgresAdapter",
            settings=PostgresSettings,
            capabilities=frozenset({SAVEPOINTS, RETURNING, CONCURRENT_READS, DURABLE}),
            example={"dsn": "embedded://"},
        )
    ]
