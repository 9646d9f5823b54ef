"""The Oneiric queue adapter for Celery; its names are imported on first use, so that importing this imports no driver."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric_celery.adapter import CeleryQueueAdapter
    from oneiric_celery.settings import CelerySettings

__all__ = ["CeleryQueueAdapter", "CelerySettings"]

_HOMES = {"CeleryQueueAdapter": "oneiric_celery.adapter", "CelerySettings": "oneiric_celery.settings"}


def __getattr__(name: str) -> Any:
    # Imported here and not above, so that a listing of what is installed imports no driver.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
