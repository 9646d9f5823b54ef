"""What is left of a call's time."""

from __future__ import annotations

import asyncio

from oneiric_postgres.errors import Late


class Deadline:
    """The moment by which a call has to be over."""

    __slots__ = ("_at", "_loop")

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + seconds

    def left(self) -> float:
        """The seconds that are left. Raises Late where there are none."""
        seconds = self._at - self._loop.time()
        if seconds <= 0:
            raise Late("The call reached its deadline.")
        return seconds
