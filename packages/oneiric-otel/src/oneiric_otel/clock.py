"""When what is under way has begun: OpenTelemetry is told of it when it ends."""

from __future__ import annotations

import threading
import time

from oneiric_otel.recent import Recent


class Clock(threading.local):
    """When each instance of a thread last began something. No end need follow: a cancelled init has none."""

    def __init__(self) -> None:
        self._begun: Recent[tuple[str, str], float] = Recent()

    def begin(self, operation: str, instance: str) -> None:
        """Note that it begins now."""
        self._begun[operation, instance] = time.perf_counter()

    def since(self, operation: str, instance: str) -> float:
        """The seconds since it last began; 0.0 where its begin was not noted."""
        now = time.perf_counter()
        return now - self._begun.get((operation, instance), now)
