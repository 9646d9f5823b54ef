"""The Oneiric adapter `duckdb`; its names are imported on first use, so that importing this imports no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric_duckdb.adapter import DuckdbAdapter
    from oneiric_duckdb.settings import DuckdbSettings

__all__ = ["DuckdbAdapter", "DuckdbSettings"]


def __getattr__(name: str) -> Any:
    # Imported here and not above, so that a listing of what is installed imports no driver.
    if name == "DuckdbAdapter":
        from oneiric_duckdb.adapter import DuckdbAdapter

        return DuckdbAdapter
    if name == "DuckdbSettings":
        from oneiric_duckdb.settings import DuckdbSettings

        return DuckdbSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
