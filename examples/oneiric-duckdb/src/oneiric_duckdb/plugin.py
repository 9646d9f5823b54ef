"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.adapters.database import CONCURRENT_READS, DURABLE, RETURNING
from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_duckdb.settings import DuckdbSettings


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the `duckdb` adapter."""
    return [
        AdapterSpec(
            "duckdb",
            type="database",
            summary="DuckDB in a file or in memory: analytical SQL, one writer, a pool of readers.",
            adapter="oneiric_duckdb.adapter:DuckdbAdapter",
            settings=DuckdbSettings,
            capabilities=frozenset({RETURNING, CONCURRENT_READS, DURABLE}),
            docs_url="https://duckdb.org/docs/",
            example={"path": "oneiric.duckdb"},
            conformance="oneiric_duckdb.conformance:DuckdbSuite",
        )
    ]
