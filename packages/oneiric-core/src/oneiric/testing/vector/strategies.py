"""Random payloads and filters that have something to do with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from oneiric.adapters.vector.filters import And, Equals, Filter, In, IsEmpty, IsNull, Not, Or, Range, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = ["a", "a", "a", "b", "b", "a.b", "a[0]", "$", "it's", 'qu"ote', "größe", " "]
"""Few, and some of them often, so that a filter mostly meets a field that is there."""

ALIKE: list[Scalar] = [
    1,
    1.0,
    True,
    "1",
    "true",
    0,
    0.0,
    -0.0,
    False,
    "0",
    "",
    "false",
    "red",
    "Red",
    1.5,
    "1.5",
    2,
    -1,
]
"""What is the same, or must not be taken for it."""
TEXTS = ["null", "it's", "größe", "%", "a.b", "🧪", "red "]
NUMBERS = [0, 1, 1.0, -1, 1.5, 2, 2.5, 0.1, 2**53, -(2**53), 1e300, 5e-324]
SCALARS = st.one_of(st.sampled_from(ALIKE), st.sampled_from([*TEXTS, *NUMBERS]))

_values = st.one_of(
    SCALARS,
    st.none(),
    st.lists(st.one_of(SCALARS, st.none(), st.lists(SCALARS, max_size=2), st.just({"a": 1})), max_size=3),
    st.dictionaries(st.sampled_from(FIELDS), SCALARS, max_size=2),
)
PAYLOADS = st.dictionaries(st.sampled_from(FIELDS), _values, min_size=1, max_size=3)

_fields = st.sampled_from(FIELDS)
_bounds = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from(NUMBERS), min_size=1)
_leaves: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Equals, _fields, SCALARS),
    st.builds(In, _fields, st.lists(SCALARS, max_size=3).map(tuple)),
    st.builds(lambda field, bounds: Range(field, **bounds), _fields, _bounds),
    st.builds(IsNull, _fields),
    st.builds(IsEmpty, _fields),
)


def _trees(leaves: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    """Leaves, and what is made of two or three of them; now and then of none."""
    several = st.lists(leaves, min_size=2, max_size=3).map(tuple)
    parts: st.SearchStrategy[Filter] = st.one_of(leaves, st.builds(And, several), st.builds(Or, several))
    signed = st.one_of(parts, parts.map(Not))
    few = st.lists(signed, max_size=3).map(tuple)
    return st.one_of(signed, st.builds(And, few), st.builds(Or, few))


FILTERS = _trees(_leaves)


@st.composite
def payloads_and_filters(draw: st.DrawFn, fewest: int = 4, most: int = 8) -> tuple[list[dict[str, Any]], list[Filter]]:
    """Payloads, and so many filters, of which most ask for what some of them hold: others are rarely met by any."""
    payloads = draw(st.lists(PAYLOADS, min_size=5, max_size=20))
    held = [Equals(field, value) for payload in payloads for field, value in _scalars(payload)]
    leaves = st.one_of(st.sampled_from(held), st.sampled_from(held), _leaves) if held else _leaves
    return payloads, draw(st.lists(_trees(leaves), min_size=fewest, max_size=most))


def _scalars(payload: dict[str, Any]) -> Iterator[tuple[str, Scalar]]:
    for field, value in payload.items():
        yield from (
            (field, each)
            for each in (value if isinstance(value, list) else [value])
            if isinstance(each, str | int | float)
        )
