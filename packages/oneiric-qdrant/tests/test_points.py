"""Ids, and payloads under their keys, there and back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.adapters.vector import Record
from oneiric_qdrant.points import (
    BOOLEANS,
    ID,
    Found,
    id_of,
    ids_of,
    path_of,
    payload_of,
    point_id,
    point_of,
    with_booleans,
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
KEYS = TEXTS | st.sampled_from([ID, BOOLEANS, "oneiric:key:a", "oneiric:key:%22", '"', "\\", "%22", "oneiric:", ""])


def back(record: Record) -> Record:
    point = with_booleans(point_of(record, record.vector))
    found = Found(point.id, point.payload, point.vector)
    return Record(id_of(found), record.vector, payload_of(found))


@given(TEXTS.filter(bool), st.dictionaries(KEYS, st.booleans() | st.integers() | TEXTS | st.lists(st.booleans())))
def test_an_id_and_a_payload_come_back_whatever_their_keys(id_: str, payload: dict[str, Any]) -> None:
    record = Record(id_, (1.0,), payload)
    assert back(record) == record


@given(st.sets(KEYS))
def test_different_keys_are_kept_apart_and_can_be_named(keys: set[str]) -> None:
    paths = {path_of(key) for key in keys}
    assert len(paths) == len(keys)
    assert all(path.count('"') == 2 and "\\" not in path for path in paths), "what no path of Qdrant's can hold"


@pytest.mark.parametrize("key", ["color", "a.b", "a[0]", "größe", "it's", " ", "%", "🧪", "line\nbreak"])
def test_a_usual_key_is_kept_as_it_is(key: str) -> None:
    assert point_of(Record("a", (1.0,), {key: 1}), (1.0,)).payload == {key: 1, ID: "a"}


def test_an_id_is_always_the_same_uuid() -> None:
    assert point_id("a") == str(UUID(point_id("a"))) == "11edc9a0-765d-502c-8a84-2674cb386bd6"


def test_what_can_be_no_id_is_passed_over() -> None:
    ids: list[Any] = ["a", "a", 7, None, "\ud800", b"a"]
    assert [*ids_of(ids).values()] == ["a"]


def test_what_another_program_has_stored_has_qdrants_own_id() -> None:
    assert id_of(Found("7", {"a": 1})) == "7"
    assert id_of(Found("7", None)) == "7"
    assert payload_of(Found("7", None)) == {}
