"""How long a manager waits, and how often it tries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Limits:
    """The limits of an AdapterManager, in seconds where nothing else is said; each is of one instance."""

    init_timeout: float = 30.0
    """For an init, its retries included."""
    init_attempts: int = 3
    """How often an init that fails with a transient error is tried, with jittered backoff between the attempts."""
    health_timeout: float = 5.0
    """For a health check."""
    cleanup_timeout: float = 10.0
    """For a cleanup, once no call is under way."""
    drain_timeout: float = 10.0
    """For the calls that are under way when an adapter is to be cleaned up."""
    health_interval: float | None = None
    """How often every running instance is asked for its health in the background; None for not at all."""
    unhealthy_after: int = 3
    """How many health checks in a row must fail before a ready instance counts as unhealthy, so that one blip doesn't."""
    healthy_after: int = 2
    """How many must succeed in a row before it counts as ready again."""
