"""OpenTelemetry metrics and spans of Oneiric's adapters. Nothing to import: the plugin is found where it is installed."""

from __future__ import annotations

__all__: list[str] = []
