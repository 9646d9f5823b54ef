"""Vectors that are for cosine, and so long or so short that an engine would lose them on the way to their direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

_SHORT, _LONG = 1e-4, 1e6
"""The largest number of a vector that needs no scaling: its square, and the sum of these, are within 32 bits."""
_TOGETHER = 1_000


def scaled(vectors: Sequence[array[float]]) -> list[Sequence[float]]:
    """The vectors, those that are very short or very long at a length of 1."""
    found: list[Sequence[float]] = [*vectors]
    for start in range(0, len(vectors), _TOGETHER):
        some = vectors[start : start + _TOGETHER]
        matrix = np.frombuffer(b"".join(some), dtype=np.float32).reshape(len(some), -1)
        peaks = np.abs(matrix).max(axis=1)
        for number in np.flatnonzero((peaks < _SHORT) | (peaks > _LONG)):
            wide = matrix[number].astype(np.float64)
            found[start + int(number)] = (wide / np.linalg.norm(wide)).tolist()
    return found
