"""A dict that doesn't grow without end, whatever instances an application makes up."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

LIMIT = 1024


class Recent(dict[K, V]):
    """Keeps what was set last; beyond the limit, what was set longest ago goes."""

    def __setitem__(self, key: K, value: V) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        if len(self) > LIMIT:
            self.pop(next(iter(self)), None)
