"""What the demo does with a vector index: load what each installed package says of itself, and look for one by words."""

from __future__ import annotations

import asyncio
import math
import re
import time
from hashlib import blake2b
from importlib.metadata import distributions
from typing import TYPE_CHECKING

from oneiric.adapters.vector import Distance, F, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.adapters.vector import VectorAdapter

_COLLECTION = "oneiric_demo_packages"
_DIMENSION = 512
_QUESTION = "data validation by type hints"
_FEWEST_FILES = 20
_SHOWN = 3


async def use_vector(index: VectorAdapter) -> str:
    """Upsert, search with a filter, delete; returns what came of it. Raises where an answer is wrong."""
    records = await asyncio.to_thread(lambda: {record.id: record for record in _installed_packages()})
    await index.drop_collection(_COLLECTION)
    await index.create_collection(_COLLECTION, _DIMENSION, distance=Distance.COSINE)
    stored = await index.upsert(_COLLECTION, records.values())
    has_files = F("files") >= _FEWEST_FILES
    started = time.perf_counter()
    found = await index.search(_COLLECTION, embed(_QUESTION), limit=_SHOWN, filter=has_files)
    ms = (time.perf_counter() - started) * 1000
    expected = sum(record.payload["files"] >= _FEWEST_FILES for record in records.values())
    counted = await index.count(_COLLECTION, filter=has_files)
    await index.drop_collection(_COLLECTION)
    if not (stored == len(records) and counted == expected and len(found) == min(_SHOWN, expected)):
        raise AssertionError(f"stored {stored} of {len(records)} records, counted {counted} of {expected}")
    nearest = ", ".join(f"{match.id} ({match.score:.2f})" for match in found)
    return (
        f"upserted {stored} records, an installed package each; of the {counted} with {_FEWEST_FILES} files or more, "
        f"the nearest to “{_QUESTION}” are {nearest}, in {ms:.1f} ms"
    )


def embed(text: str) -> list[float]:
    """The text as a vector of length 1: its words and their beginnings, each hashed to a place and a sign."""
    vector = [0.0] * _DIMENSION
    for word in re.findall(r"[a-z]{4,}", text.lower()):
        for feature in {word, word[:5]}:
            number = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest())
            vector[number % _DIMENSION] += 1.0 if number >> 63 else -1.0
    length = math.hypot(*vector)
    # A text without words is near to nothing, and no vector of zeros, which has no angle to others.
    return [value / length for value in vector] if length else [_DIMENSION**-0.5] * _DIMENSION


def _installed_packages() -> Iterator[Record]:
    for distribution in distributions():
        summary = distribution.metadata["Summary"] or ""
        files = len(distribution.files or ())
        yield Record(distribution.name, embed(f"{distribution.name} {summary}"), {"summary": summary, "files": files})
