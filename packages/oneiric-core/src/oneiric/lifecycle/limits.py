"""How long a manager waits, and how often it tries."""

from __future__ import annotations

from dataclasses import dataclass, fields


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

    def __post_init__(self) -> None:
        least = {"init_attempts": 1, "unhealthy_after": 1, "healthy_after": 1}
        for limit in fields(self):
            value = getattr(self, limit.name)
            if value is None and limit.name == "health_interval":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least.get(limit.name, 0):
                raise ValueError(
                    f"{limit.name} is {value!r}. Make it a number that is at least {least.get(limit.name, 0)}."
                )
        if self.health_interval == 0:
            raise ValueError("health_interval is 0. Make it None for no health checks in the background.")
