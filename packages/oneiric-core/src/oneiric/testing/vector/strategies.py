"""Random payloads and filters that have something to do with each other."""

from __future__ import annotations

from hypothesis import strategies as st

from oneiric.adapters.vector.filters import And, Equals, Filter, In, IsEmpty, IsNull, Not, Or, Range

FIELDS = ["a", "b", "a.b", "a[0]", "$", "it's", 'qu"ote', "größe", " "]
"""Few, so that filters often meet a field that is there."""

TEXTS = ["", "red", "Red", "1", "true", "null", "it's", "größe", "%", "a.b", "🧪"]
NUMBERS = [0, 1, 1.0, -1, 1.5, 2, 2.0, -0.0, 0.1, 2**53, -(2**53), 1e300, 5e-324]
SCALARS = st.sampled_from([*TEXTS, *NUMBERS, True, False])

_values = st.one_of(
    SCALARS,
    st.none(),
    st.lists(st.one_of(SCALARS, st.none(), st.lists(SCALARS, max_size=2), st.just({"a": 1})), max_size=3),
    st.dictionaries(st.sampled_from(FIELDS), SCALARS, max_size=2),
)
PAYLOADS = st.dictionaries(st.sampled_from(FIELDS), _values, max_size=4)

_fields = st.sampled_from(FIELDS)
_bounds = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from(NUMBERS), min_size=1)
_leaves: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Equals, _fields, SCALARS),
    st.builds(In, _fields, st.lists(SCALARS, max_size=3).map(tuple)),
    st.builds(lambda field, bounds: Range(field, **bounds), _fields, _bounds),
    st.builds(IsNull, _fields),
    st.builds(IsEmpty, _fields),
)
FILTERS: st.SearchStrategy[Filter] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
