"""The states of a managed instance."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an instance is in its life: `stopped → initializing → ready → cleaning-up → stopped`, or `failed`."""

    STOPPED = "stopped"
    INITIALIZING = "initializing"
    READY = "ready"
    CLEANING_UP = "cleaning-up"
    FAILED = "failed"
