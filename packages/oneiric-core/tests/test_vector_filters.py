"""The filters of vector indexes: how they are written, their JSON form, and what they mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric import InvalidFilter
from oneiric.adapters.vector import F, Filter
from oneiric.adapters.vector.filters import (
    And,
    Equals,
    In,
    IsEmpty,
    IsNull,
    Not,
    Or,
    Range,
    from_json,
    matches,
    to_json,
)

numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
scalars = numbers | st.booleans() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
fields = st.sampled_from(["a", "b", "kein.Pfad", "x[]", '"', "$or", "ключ"])
leaves = (
    st.builds(Equals, fields, scalars)
    | st.builds(In, fields, st.lists(scalars, max_size=3).map(tuple))
    | st.builds(Range, fields, gte=numbers)
    | st.builds(Range, fields, gt=numbers, lt=numbers, lte=st.none() | numbers)
    | st.builds(IsNull, fields)
    | st.builds(IsEmpty, fields)
)
filters = st.recursive(
    leaves,
    lambda inner: (
        st.builds(And, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=8,
)
values = st.none() | scalars | st.lists(scalars | st.none(), max_size=3)
payloads = st.dictionaries(fields, values, max_size=4)


@given(filters)
def test_the_json_form_is_json_and_gives_the_same_filter_back(condition: Filter):
    assert from_json(json.loads(json.dumps(to_json(condition)))) == condition
    assert hash(from_json(to_json(condition))) == hash(condition)


@given(filters, filters, payloads)
def test_they_combine_as_booleans_do(one: Filter, other: Filter, payload: dict[str, Any]):
    first, second = matches(one, payload), matches(other, payload)
    assert matches(one & other, payload) is (first and second)
    assert matches(one | other, payload) is (first or second)
    assert matches(~one, payload) is (not first)
    assert matches(None, payload) is True


@pytest.mark.parametrize(
    ("condition", "met", "unmet"),
    [
        (
            F("a") == 1,
            [{"a": 1}, {"a": 1.0}, {"a": [3, 1.0]}],
            [{"a": True}, {"a": "1"}, {"a": None}, {}, {"a": [[1]]}],
        ),
        (F("a") == True, [{"a": True}, {"a": [False, True]}], [{"a": 1}, {"a": "True"}, {}]),  # noqa: E712
        (F("a") == "x", [{"a": "x"}, {"a": ["y", "x"]}], [{"a": "X"}, {"a": "xy"}, {"a": {"x": 1}}, {"a": []}]),
        (F("a") != 1, [{}, {"a": None}, {"a": "1"}, {"a": True}, {"a": []}], [{"a": 1}, {"a": [2, 1.0]}]),
        (F("a") > 2, [{"a": 2.5}, {"a": [1, 3]}], [{"a": 2}, {"a": "3"}, {"a": True}, {}, {"a": None}, {"a": [2]}]),
        (F("a") >= 1, [{"a": 1}, {"a": 1.0}], [{"a": 0.5}, {"a": True}]),
        (F("a").between(1, 2), [{"a": 2}, {"a": [9, 1.5]}], [{"a": [0, 3]}, {"a": 3}]),
        ((F("a") >= 1) & (F("a") <= 2), [{"a": [0, 3]}, {"a": 1}], [{"a": [3, 4]}]),
        (F("a").is_in([1, "x"]), [{"a": 1.0}, {"a": "x"}, {"a": [0, "x"]}], [{}, {"a": True}, {"a": "1"}]),
        (F("a").is_in([]), [], [{}, {"a": 1}, {"a": None}, {"a": []}]),
        (~F("a").is_in([]), [{}, {"a": 1}], []),
        (F("a").is_null(), [{"a": None}], [{}, {"a": []}, {"a": [None]}, {"a": 0}]),
        (F("a").is_empty(), [{}, {"a": None}, {"a": []}], [{"a": [None]}, {"a": ""}, {"a": 0}, {"a": {}}]),
        (And(()), [{}], []),
        (Or(()), [], [{}]),
        (F("a") == 2**53, [{"a": float(2**53)}], [{"a": 2**53 - 1}]),
        (F("a.b") == 1, [{"a.b": 1}], [{"a": {"b": 1}}]),
    ],
)
def test_what_they_mean(condition: Filter, met: list[dict[str, Any]], unmet: list[dict[str, Any]]):
    assert [payload for payload in met if not matches(condition, payload)] == []
    assert [payload for payload in unmet if matches(condition, payload)] == []


def _deep(levels: int) -> Filter:
    condition: Filter = F("a") == 1
    for _ in range(levels):
        condition = ~condition
    return condition


@pytest.mark.parametrize(
    "make",
    [
        lambda: F(""),
        lambda: F("a\0b"),
        lambda: F(5),
        lambda: F("a") == None,  # noqa: E711
        lambda: F("a") == [1],
        lambda: F("a") == float("nan"),
        lambda: F("a") == 2**53 + 1,
        lambda: F("a") == "\0",
        lambda: F("a") > "2024-01-01",
        lambda: F("a") > True,
        lambda: F("a") >= float("inf"),
        lambda: F("a").is_in([None]),
        lambda: Range("a"),
        lambda: And((5,)),
        lambda: Not("a"),
        lambda: _deep(40),
        lambda: F("a").is_in(range(2_000)) & (F("a") == 1),
        lambda: matches("a", {}),
        lambda: to_json("a"),
    ],
)
def test_what_can_be_no_filter_is_refused(make: Any):
    with pytest.raises(InvalidFilter):
        make()


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "a",
        {},
        {"field": "a"},
        {"field": "a", "eq": 1, "gt": 0},
        {"field": "a", "like": "%"},
        {"field": "a", "gt": 1, "$where": "1"},
        {"field": "a", "gt": None},
        {"field": "a", "eq": None},
        {"field": "a", "eq": {"x": 1}},
        {"field": 5, "eq": 1},
        {"field": "a", "in": "abc"},
        {"field": "a", "is_null": 1},
        {"field": "a", "is_null": False},
        {"and": {"field": "a", "eq": 1}},
        {"and": [], "or": []},
        {"not": []},
        {"and": [{"field": "a", "eq": 1}, {"no": 1}]},
        json.loads('{"not":' * 100 + "{}" + "}" * 100),
    ],
)
def test_a_json_form_that_is_not_known_whole_is_refused(data: object):
    with pytest.raises(InvalidFilter):
        from_json(data)


def test_python_s_and_and_or_are_refused():
    for use in (lambda: (F("a") == 1) and (F("b") == 2), lambda: not F("a").is_null()):
        with pytest.raises(TypeError, match="combine filters with"):
            use()
