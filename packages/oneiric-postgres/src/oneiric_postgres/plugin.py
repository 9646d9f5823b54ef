"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.adapters import vector
from oneiric.adapters.database import CONCURRENT_READS, DURABLE, RETURNING, SAVEPOINTS
from oneiric.adapters.vector import FILTERED_SEARCH
from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_postgres.settings import PostgresSettings
from oneiric_postgres.vector.settings import PgVectorSettings

if TYPE_CHECKING:
    import typer


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the adapters `postgres` and `pgvector`."""
    return [
        AdapterSpec(
            "postgres",
            type="database",
            summary="PostgreSQL through asyncpg, with a pool that resets only what was dirtied.",
            adapter="oneiric_postgres.adapter:PostgresAdapter",
            settings=PostgresSettings,
            capabilities=frozenset({SAVEPOINTS, RETURNING, CONCURRENT_READS, DURABLE}),
            example={"dsn": "embedded://"},
            conformance="oneiric_postgres.conformance:PostgresSuite",
        ),
        AdapterSpec(
            "pgvector",
            type="vector",
            summary="pgvector through asyncpg: binary COPY, HNSW or exact by what a filter leaves.",
            adapter="oneiric_postgres.vector.adapter:PgVectorAdapter",
            settings=PgVectorSettings,
            conformance="oneiric_postgres.vector.conformance:PgVectorSuite",
            capabilities=frozenset({vector.DURABLE, FILTERED_SEARCH}),
            example={"dsn": "embedded://"},
        ),
    ]


@hookimpl
def oneiric_register_commands(app: typer.Typer) -> None:
    """Add `oneiric migrate`."""
    # Imported here: an application that discovers its adapters imports this module, and no command line.
    from oneiric_postgres.command import migrate

    app.command("migrate")(migrate)
