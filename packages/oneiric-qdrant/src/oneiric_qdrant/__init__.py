"""The Oneiric vector adapter for Qdrant; its names are imported on first use, so that importing this imports no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric_qdrant.adapter import QdrantAdapter
    from oneiric_qdrant.settings import QdrantSettings

__all__ = ["QdrantAdapter", "QdrantSettings"]


def __getattr__(name: str) -> Any:
    # Imported here and not above, so that a listing of what is installed imports no driver.
    if name == "QdrantAdapter":
        from oneiric_qdrant.adapter import QdrantAdapter

        return QdrantAdapter
    if name == "QdrantSettings":
        from oneiric_qdrant.settings import QdrantSettings

        return QdrantSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
