"""The process's telemetry, made at the first event: a listing of what is installed should not wait for OpenTelemetry."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneiric_otel.telemetry import Telemetry


@cache
def telemetry() -> Telemetry:
    """Always the same."""
    from oneiric_otel.telemetry import Telemetry  # not above, as that imports OpenTelemetry

    return Telemetry()
