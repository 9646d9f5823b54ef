"""The database contract."""

from oneiric.adapters.database.base import (
    CONCURRENT_READS,
    DURABLE,
    RETURNING,
    SAVEPOINTS,
    DatabaseAdapter,
    Queries,
    Row,
    Transaction,
)

__all__ = [
    "CONCURRENT_READS",
    "DURABLE",
    "RETURNING",
    "SAVEPOINTS",
    "DatabaseAdapter",
    "Queries",
    "Row",
    "Transaction",
]
