"""What this distribution tells Oneiric: who observes the lifecycle; imports nothing of OpenTelemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.hookspecs import hookimpl

from oneiric_otel.deferred import telemetry

if TYPE_CHECKING:
    from oneiric.adapters.base import Health
    from oneiric.spec import AdapterSpec


@hookimpl
def oneiric_adapter_initializing(instance: str) -> None:
    """Begin to measure an init."""
    telemetry().initializing(instance)


@hookimpl
def oneiric_adapter_initialized(instance: str, spec: AdapterSpec, seconds: float) -> None:
    """Tell of an init."""
    telemetry().initialized(instance, spec, seconds)


@hookimpl
def oneiric_adapter_init_failed(instance: str, spec: AdapterSpec, error: Exception) -> None:
    """Tell of an init that failed."""
    telemetry().init_failed(instance, spec, error)


@hookimpl
def oneiric_adapter_health_checked(instance: str, spec: AdapterSpec, health: Health) -> None:
    """Tell of a health check."""
    telemetry().health_checked(instance, spec, health)


@hookimpl
def oneiric_adapter_cleaning_up(instance: str, spec: AdapterSpec) -> None:
    """Begin to measure a cleanup."""
    telemetry().cleaning_up(instance, spec)


@hookimpl
def oneiric_adapter_cleaned_up(instance: str, spec: AdapterSpec, error: Exception | None) -> None:
    """Tell of a cleanup."""
    telemetry().cleaned_up(instance, spec, error)


@hookimpl
def oneiric_adapter_swapped(instance: str, spec: AdapterSpec, previous: AdapterSpec) -> None:
    """Tell of a swap."""
    telemetry().swapped(instance, spec, previous)
