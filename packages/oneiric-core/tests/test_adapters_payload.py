"""What JSON can hold, and what is said of the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from oneiric.adapters.payload import MAX_DEPTH, json_text
from oneiric.testing.json_strategies import JSON
from oneiric.testing.json_values import HOSTILE, NOT_JSON, same


def nested(depth: int) -> Any:
    value: Any = "secret"
    for _ in range(depth):
        value = {"a": value} if depth % 2 else [value]
    return value


@given(JSON)
def test_what_json_can_hold_comes_back(value: Any):
    assert same(json.loads(json_text(value, "x")), value)


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_values_come_back(word: str):
    assert same(json.loads(json_text(HOSTILE[word], "x")), HOSTILE[word])


@pytest.mark.parametrize("word", NOT_JSON)
def test_what_it_can_not_is_refused_wherever_it_lies(word: str):
    for value in (NOT_JSON[word], [NOT_JSON[word]], {"a": [{"b": NOT_JSON[word]}]}):
        with pytest.raises(ValueError, match=r"^`x"):
            json_text(value, "x")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, {"when": {1}}], "`args[1].when` is of the type set, which JSON can't hold."),
        ({"it's a secret": [b""]}, "`args[…][0]` is of the type bytes, which JSON can't hold."),
        ([float("nan")], "`args[0]` is not a finite number, so JSON can't hold it."),
        ({"a": {4111: 1}}, "`args.a` has a key of the type int; the keys of JSON are strings."),
        (["\ud800secret"], "`args` has half a surrogate pair in a string, which is no text."),
        ([10**5000], "`args` has a number of too many digits."),
    ],
)
def test_it_is_said_where_it_lies_and_no_value_is_repeated(value: Any, said: str):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole sentence is held below
        json_text(value, "args")
    assert str(caught.value) == said


def test_what_lies_deep_can_be_as_long_as_a_parser_can_follow():
    assert json.loads(json_text(nested(MAX_DEPTH), "x")) == nested(MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(ValueError, match="deep, or contains itself") as caught:
            json_text(nested(depth), "x")
        assert len(str(caught.value)) < 250


def test_a_value_may_be_there_twice_and_tuples_are_lists():
    shared = (1, 2)
    assert json_text([shared, shared], "x") == "[[1,2],[1,2]]"
