"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.adapters.database import CONCURRENT_READS, DURABLE, RETURNING, SAVEPOINTS
from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_sqlite.settings import SqliteSettings


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the `sqlite` adapter."""
    return [
        AdapterSpec(
            "sqlite",
            type="database",
            summary="SQLite in a file or in memory: WAL, one writer with group commit, a pool of readers.",
            adapter="oneiric_sqlite.adapter:SqliteAdapter",
            settings=SqliteSettings,
            capabilities=frozenset({SAVEPOINTS, RETURNING, CONCURRENT_READS, DURABLE}),
            example={"path": "oneiric.db"},
        )
    ]
