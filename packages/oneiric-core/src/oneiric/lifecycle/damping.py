"""Flap damping: one health check is no verdict, several in a row are."""

from __future__ import annotations


class Damper:
    """Turns the outcomes of health checks into "is healthy", which changes only after several in a row that disagree."""

    def __init__(self) -> None:
        self.is_healthy = True
        self._against = 0

    def note(self, ok: bool, *, unhealthy_after: int, healthy_after: int) -> bool:
        """Take one outcome; returns whether it is healthy now."""
        if ok == self.is_healthy:
            self._against = 0
            return self.is_healthy
        self._against += 1
        if self._against >= (healthy_after if ok else unhealthy_after):
            self.is_healthy, self._against = ok, 0
        return self.is_healthy
