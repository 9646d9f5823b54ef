"""The Oneiric adapters for PostgreSQL; its names are imported on first use, so that importing this imports no driver."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric_postgres.adapter import PostgresAdapter
    from oneiric_postgres.listening import Gap, Listener, Notification
    from oneiric_postgres.migrations import Migration, MigrationError
    from oneiric_postgres.settings import PostgresSettings
    from oneiric_postgres.transaction import PostgresTransaction
    from oneiric_postgres.vector.adapter import PgVectorAdapter
    from oneiric_postgres.vector.settings import PgVectorSettings

__all__ = [
    "Gap",
    "Listener",
    "Migration",
    "MigrationError",
    "Notification",
    "PgVectorAdapter",
    "PgVectorSettings",
    "PostgresAdapter",
    "PostgresSettings",
    "PostgresTransaction",
]

_HOMES = {
    "Gap": "listening",
    "Listener": "listening",
    "Migration": "migrations",
    "MigrationError": "migrations",
    "Notification": "listening",
    "PgVectorAdapter": "vector.adapter",
    "PgVectorSettings": "vector.settings",
    "PostgresAdapter": "adapter",
    "PostgresSettings": "settings",
    "PostgresTransaction": "transaction",
}


def __getattr__(name: str) -> Any:
    # Imported here and not above, so that a listing of what is installed imports no driver.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
