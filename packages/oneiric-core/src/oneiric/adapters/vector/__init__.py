"""The contract of a vector index, and its filters."""

from oneiric.adapters.vector.base import (
    DURABLE,
    EXACT_SEARCH,
    FILTERED_SEARCH,
    Collection,
    Distance,
    Match,
    Record,
    VectorAdapter,
)
from oneiric.adapters.vector.filters import F, Filter

__all__ = [
    "DURABLE",
    "EXACT_SEARCH",
    "FILTERED_SEARCH",
    "Collection",
    "Distance",
    "F",
    "Filter",
    "Match",
    "Record",
    "VectorAdapter",
]
