"""Texts as vectors, without a model and without network: three, four and five letters of each word in a row, hashed.

So it finds words in another form, or misspelled, and the more letters agree the nearer they are. It knows nothing of meaning: for
that, put an embedding model's call here, and its DIMENSION.
"""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2b
from math import hypot, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DIMENSION = 384


def embed(text: str) -> list[float]:
    """A vector of length 1, the same for the same text in every process."""
    vector = [0.0] * DIMENSION
    for letters, count in Counter(_grams(text)).items():
        number = int.from_bytes(blake2b(letters.encode(), digest_size=8).digest())
        sign = 1 if number & 1 else -1  # so that what shares a place by chance cancels out
        vector[(number >> 1) % DIMENSION] += sign * sqrt(count)
    length = hypot(*vector)
    if not length:
        return [1.0, *vector[1:]]  # of no word: near to nothing else
    return [value / length for value in vector]


def _grams(text: str) -> Iterator[str]:
    for word in re.findall(r"\w+", text.casefold()):
        padded = f"<{word}>"
        for size in (3, 4, 5):
            yield from (padded[start : start + size] for start in range(len(padded) - size + 1))
