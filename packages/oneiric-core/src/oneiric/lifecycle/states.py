"""The states of a managed instance, and every way from one to another."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an instance is in its life."""

    STOPPED = "stopped"
    """Not initialised: not asked for yet, or cleaned up."""
    INITIALIZING = "initializing"
    """Being built and initialised, retries included."""
    READY = "ready"
    """Initialised and in use."""
    UNHEALTHY = "unhealthy"
    """Initialised and in use, and its last health checks failed."""
    CLEANING_UP = "cleaning_up"
    """Takes no more calls; those under way are finished, then it is cleaned up."""
    FAILED = "failed"
    """Could not be initialised, and is cleaned up; the next use tries again."""


TRANSITIONS: dict[State, frozenset[State]] = {
    State.STOPPED: frozenset({State.INITIALIZING}),
    State.INITIALIZING: frozenset({State.READY, State.FAILED, State.STOPPED}),  # stopped: where it was cancelled
    State.READY: frozenset({State.UNHEALTHY, State.CLEANING_UP}),
    State.UNHEALTHY: frozenset({State.READY, State.CLEANING_UP}),
    State.CLEANING_UP: frozenset({State.STOPPED}),
    State.FAILED: frozenset({State.INITIALIZING}),
}
"""From each state, those that may follow it, and no others. A swap leaves an instance ready: it never stops serving."""
