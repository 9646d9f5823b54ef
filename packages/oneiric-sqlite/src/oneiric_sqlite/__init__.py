"""The Oneiric database adapter for SQLite; its names are imported on first use, so that importing this imports no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric_sqlite.adapter import SqliteAdapter
    from oneiric_sqlite.settings import SqliteSettings

__all__ = ["SqliteAdapter", "SqliteSettings"]


def __getattr__(name: str) -> Any:
    # Imported here and not above, so that a listing of what is installed imports no driver.
    if name == "SqliteAdapter":
        from oneiric_sqlite.adapter import SqliteAdapter

        return SqliteAdapter
    if name == "SqliteSettings":
        from oneiric_sqlite.settings import SqliteSettings

        return SqliteSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
