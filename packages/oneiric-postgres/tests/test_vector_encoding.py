"""Encoding: what goes the fast way is what the checks of core let through, and comes back as it was."""

from __future__ import annotations

import json
import math
import struct
from array import array
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.adapters.vector import Collection, Distance, Record
from oneiric.adapters.vector.records import checked_records
from oneiric.errors import InvalidRecord
from oneiric_postgres.vector.encoding import Encoder, payloads_of

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS: list[Any] = [0.0, -0.0, 1, 1.5, -2, True, 1e-30, 1e-44, 1e-60, 1e15, 3e38, -3.4e38, 1e39, 10**400]
STRANGE: list[Any] = [math.nan, math.inf, -math.inf, "1", None, 1j, [1.0], b"1"]
VECTORS = st.one_of(
    st.lists(
        st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(NUMBERS)), max_size=4
    ),
    st.lists(st.sampled_from([*NUMBERS, *STRANGE]), min_size=3, max_size=3),
    st.sampled_from(["abc", b"abc", None, 5, bytearray(b"abc"), memoryview(b"abc"), (1.0, 2.0, 3.0), range(3)]),
    st.sampled_from([array("f", [1, 2, 3]), array("d", [1, 2, 1e39]), array("i", [1, 2, 3]), array("f", [0, 0, 0])]),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**54), 2**54),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["\0", "\ud800", "\\u0000", "🧪", "größe", "{", "[[[", 2**53, -(2**53), 2**53 + 1, b"x", object()]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=2), st.integers(0, 1)), inner, max_size=2),
    ),
    max_leaves=6,
)
PAYLOADS = st.one_of(
    st.dictionaries(
        st.one_of(st.text(max_size=3), st.sampled_from(["\0", "\ud800", 1, None, True])), VALUES, max_size=3
    ),
    VALUES,
)
IDS = st.one_of(st.text(max_size=3), st.sampled_from(["a", "🧪", "x" * 512, "x" * 513, "\0", "\udfff", 7, None, b"a"]))


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("is_half", [False, True])
def test_a_record_is_refused_where_core_refuses_it_and_only_there(distance: Distance, is_half: bool) -> None:
    about = Collection("things", 3, distance)
    encoder = Encoder(about, is_half=is_half)

    @given(IDS, VECTORS, PAYLOADS)
    def hold(id_: Any, vector: Any, payload: Any) -> None:
        record = Record(id_, vector, payload)
        wrong, found = _tried(lambda: checked_records(about, [record]))
        refused, row = _tried(lambda: encoder.row(record, 1))
        if wrong or not refused:
            assert refused == wrong
        if wrong:
            return
        (checked,) = found.values()
        if refused:
            assert is_half
            assert "too large for 16 bits" in refused
            assert any(abs(number) > 65_504 for number in checked.vector)
            return
        assert row[0] == checked.id
        assert json.loads(row[1]) == json.loads(json.dumps(checked.payload))
        assert _is_same(encoder.numbers(row[2]), checked.vector, distance, is_half)

    hold()


def _tried(call: Callable[[], Any]) -> tuple[str, Any]:
    """Why a record is refused, or what is made of it."""
    try:
        return "", call()
    except InvalidRecord as error:
        return str(error), None


def _is_same(stored: list[float], given: Any, distance: Distance, is_half: bool) -> bool:
    if distance is Distance.COSINE:  # either may have been scaled
        one, other = math.hypot(*stored), math.hypot(*given)
        return all(
            math.isclose(a / one, b / other, rel_tol=1e-6, abs_tol=1e-3 if is_half else 1e-6)
            for a, b in zip(stored, given, strict=True)
        )
    if is_half:
        return stored == [struct.unpack("e", struct.pack("e", number))[0] for number in given]
    return stored == list(given)


def test_vectors_whose_cosine_is_beyond_32_bits_are_scaled() -> None:
    encoder = Encoder(Collection("things", 2, Distance.COSINE), is_half=False)
    for vector in ([3e38, 0.0], [1e-40, 0.0], [1e30, 1e-30], [0.0, -1e-25]):
        (length,) = (math.hypot(*encoder.numbers(encoder.vector(vector))),)
        assert math.isclose(length, 1.0, rel_tol=1e-6)
    assert encoder.numbers(encoder.vector([3.0, 4.0])) == [3.0, 4.0]


def test_arrays_are_taken_as_they_are() -> None:
    encoder = Encoder(Collection("things", 3, Distance.EUCLIDEAN), is_half=False)
    for kind in "fdih":
        assert encoder.numbers(encoder.vector(array(kind, [1, 2, 3]))) == [1.0, 2.0, 3.0]
    with pytest.raises(InvalidRecord, match="3 numbers"):
        encoder.vector(array("f", [1, 2]))
    with pytest.raises(InvalidRecord, match="NaN"):
        encoder.vector(array("d", [1, math.nan, 3]))


@pytest.mark.parametrize("number", [1e300, 5e-324, 1.7976931348623157e308, 7.205759403792795e16, 2**53, -(2**53), 0.1])
def test_a_number_comes_back_from_jsonb_as_it_was(number: float) -> None:
    text = f"{number:.0f}" if abs(number) >= 1e16 else json.dumps(number)
    stored = ['{"c": 1}', f'{{"a": {text}, "b": "{10**20}", "c": 7}}', "{}"]
    assert payloads_of(stored) == [{"c": 1}, {"a": number, "b": str(10**20), "c": 7}, {}]
    assert payloads_of([]) == []


def test_an_error_says_which_record_it_is_of() -> None:
    encoder = Encoder(Collection("things", 2, Distance.EUCLIDEAN), is_half=True)
    with pytest.raises(InvalidRecord, match=r"^Record 17: .*65,504"):
        encoder.row(Record("a", [1e6, 0.0]), 17)
    with pytest.raises(InvalidRecord, match=r"^Record 18: An id"):
        encoder.row(Record("", [1.0, 0.0]), 18)
