"""The Oneiric task queue adapter for RQ; its names are imported on first use, so that importing this imports no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric_rq.adapter import RedisQueueAdapter
    from oneiric_rq.progress import report_progress
    from oneiric_rq.settings import RedisQueueSettings

__all__ = ["RedisQueueAdapter", "RedisQueueSettings", "report_progress"]


def __getattr__(name: str) -> Any:
    # Imported here and not above, so that a listing of what is installed imports no driver.
    if name == "RedisQueueAdapter":
        from oneiric_rq.adapter import RedisQueueAdapter

        return RedisQueueAdapter
    if name == "RedisQueueSettings":
        from oneiric_rq.settings import RedisQueueSettings

        return RedisQueueSettings
    if name == "report_progress":
        from oneiric_rq.progress import report_progress

        return report_progress
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
