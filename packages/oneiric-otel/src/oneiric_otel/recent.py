"""A dict that doesn't grow without end, whatever instances an application makes up."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

LIMIT = 1024


class Recent(dict[K, V]):
    """Beyond the limit, what came first goes. What is set again is at no moment missing to a thread that looks."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > LIMIT:
            for oldest in tuple(self)[:-LIMIT]:  # a copy: another thread's manager may be here too
                self.pop(oldest, None)
