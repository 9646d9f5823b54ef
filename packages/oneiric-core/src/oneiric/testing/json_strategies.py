"""Random payloads, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from oneiric.testing.json_values import NOT_JSON

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
"""What JSON can hold."""
NO_JSON = st.sampled_from([*NOT_JSON]).map(NOT_JSON.__getitem__)
"""What it can't."""
