"""Texts as vectors, without a model and without network: words and their parts, hashed.

It finds texts that share words, or parts of words, and knows nothing of meaning: "car" doesn't find "automobile". For that, put an
embedding model's call here; nothing else changes but DIMENSION.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DIMENSION = 512
_OF_A_PART = 0.2
"""What three letters of a word count for, where a long word counts for one."""


def embed(text: str) -> list[float]:
    """A vector of length 1, the same for the same text in every process."""
    vector = [0.0] * DIMENSION
    for feature, weight in _features(text).items():
        digest = hashlib.blake2b(feature.encode(), digest_size=8).digest()
        sign = 1.0 if digest[0] & 1 else -1.0  # so that features which share a place don't add up
        vector[int.from_bytes(digest[1:]) % DIMENSION] += sign * weight
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        return [1.0, *vector[1:]]  # a text without a word is near no other
    return [value / length for value in vector]


def _features(text: str) -> dict[str, float]:
    """Each feature with its weight: a long word says more than a short one, its tenth time little more than its second."""
    words = Counter(re.findall(r"\w{3,}", text.casefold()))  # shorter ones are in every text
    features = {f"word {word}": min(len(word), 8) / 8 * (1 + math.log(count)) for word, count in words.items()}
    parts = Counter(part for word in words for part in _parts(word))
    return features | {f"part {part}": _OF_A_PART * (1 + math.log(count)) for part, count in parts.items()}


def _parts(word: str) -> Iterator[str]:
    padded = f"_{word}_"
    return (padded[start : start + 3] for start in range(len(padded) - 2))
