"""Filters over payloads: one frozen tree that means the same on every backend.

```python
F("price") >= 10
(F("color") == "red") & ~F("tags").is_in(["sold", "hidden"])
```

What each node means is defined by `matches`, over plain dicts. A field is a top-level key of the payload, any string. Where
its value is an array, a condition holds if it holds for any element. Numbers compare as numbers, whether written `1` or
`1.0`; a boolean is no number. A missing field is not equal to anything, and so `!=` holds for it. A backend that can't
express a node raises Unsupported: it never leaves one out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oneiric.errors import InvalidFilter

Scalar = str | int | float | bool
"""What a field can be compared with; for null there is `is_null`."""

MAX_DEPTH = 32
MAX_NODES = 1_000
MAX_INTEGER = 2**53
"""Beyond this, integers are not told apart by every backend (they compare as IEEE doubles): refused; use a string."""


class Filter:
    """A condition on a payload. Combine with `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self, other: Filter) -> And:
        return And((self, other))

    def __or__(self, other: Filter) -> Or:
        return Or((self, other))

    def __invert__(self) -> Not:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError(
            "A filter has no truth value: combine filters with `&`, `|` and `~`, not `and`, `or` and `not`."
        )


@dataclass(frozen=True, slots=True)
class Equals(Filter):
    """The field, or an element of it, is equal to the value."""

    field: str
    value: Scalar

    def __post_init__(self) -> None:
        _check_field(self.field)
        _check_scalar(self.value)


@dataclass(frozen=True, slots=True)
class In(Filter):
    """The field, or an element of it, is equal to one of the values; to none, where there are none."""

    field: str
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        _check_field(self.field)
        object.__setattr__(self, "values", tuple(self.values))
        for value in self.values:
            _check_scalar(value)


@dataclass(frozen=True, slots=True)
class Range(Filter):
    """The field, or one element of it, is a number within all of the bounds."""

    field: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None

    def __post_init__(self) -> None:
        _check_field(self.field)
        bounds = [bound for bound in (self.gt, self.gte, self.lt, self.lte) if bound is not None]
        if not bounds:
            raise InvalidFilter(f"The range of {self.field[:100]!r} has no bound.")
        for bound in bounds:
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                hint = "Store times as numbers, seconds since 1970 for instance."
                raise InvalidFilter(f"A bound of {self.field[:100]!r} is no number.", hint=hint)
            _check_scalar(bound)


@dataclass(frozen=True, slots=True)
class IsNull(Filter):
    """The field is there, and null."""

    field: str

    def __post_init__(self) -> None:
        _check_field(self.field)


@dataclass(frozen=True, slots=True)
class IsEmpty(Filter):
    """The field is missing, null, or an empty array."""

    field: str

    def __post_init__(self) -> None:
        _check_field(self.field)


@dataclass(frozen=True, slots=True)
class And(Filter):
    """All of the filters hold; so it does, where there are none."""

    filters: tuple[Filter, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", _filters(self.filters))


@dataclass(frozen=True, slots=True)
class Or(Filter):
    """One of the filters holds; so it does not, where there are none."""

    filters: tuple[Filter, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", _filters(self.filters))


@dataclass(frozen=True, slots=True)
class Not(Filter):
    """The filter does not hold."""

    filter: Filter

    def __post_init__(self) -> None:
        _filters((self.filter,))


class F:
    """A field, by which filters are written: `F("price") >= 10`."""

    __slots__ = ("_name",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        _check_field(name)
        self._name = name

    def __eq__(self, value: Scalar) -> Equals:  # type: ignore[override]
        return Equals(self._name, value)

    def __ne__(self, value: Scalar) -> Not:  # type: ignore[override]
        return Not(Equals(self._name, value))

    def __gt__(self, bound: float) -> Range:
        return Range(self._name, gt=bound)

    def __ge__(self, bound: float) -> Range:
        return Range(self._name, gte=bound)

    def __lt__(self, bound: float) -> Range:
        return Range(self._name, lt=bound)

    def __le__(self, bound: float) -> Range:
        return Range(self._name, lte=bound)

    def between(self, low: float, high: float) -> Range:
        """From `low` to `high`, both included, by one and the same element."""
        return Range(self._name, gte=low, lte=high)

    def is_in(self, values: Sequence[Scalar]) -> In:
        """Equal to one of the values."""
        return In(self._name, tuple(values))

    def is_null(self) -> IsNull:
        """There, and null."""
        return IsNull(self._name)

    def is_empty(self) -> IsEmpty:
        """Missing, null, or an empty array."""
        return IsEmpty(self._name)


def matches(condition: Filter | None, payload: Mapping[str, Any]) -> bool:
    """Whether a payload meets a filter: the definition that every backend is held to. None is met by all."""
    match condition:
        case None:
            return True
        case And(filters):
            return all(matches(inner, payload) for inner in filters)
        case Or(filters):
            return any(matches(inner, payload) for inner in filters)
        case Not(inner):
            return not matches(inner, payload)
        case Equals(field, value):
            return any(_equal(element, value) for element in _elements(payload, field))
        case In(field, values):
            return any(_equal(element, value) for element in _elements(payload, field) for value in values)
        case Range(field):
            return any(_within(element, condition) for element in _elements(payload, field))
        case IsNull(field):
            return field in payload and payload[field] is None
        case IsEmpty(field):
            return payload.get(field) is None or payload[field] == []
    raise InvalidFilter(f"{type(condition).__name__} is no filter.")


def to_json(condition: Filter) -> dict[str, Any]:
    """The JSON form: `{"and": […]}`, `{"not": …}`, `{"field": "price", "gte": 10}`, `{"field": "color", "eq": "red"}`."""
    match condition:
        case And(filters):
            return {"and": [to_json(inner) for inner in filters]}
        case Or(filters):
            return {"or": [to_json(inner) for inner in filters]}
        case Not(inner):
            return {"not": to_json(inner)}
        case Equals(field, value):
            return {"field": field, "eq": value}
        case In(field, values):
            return {"field": field, "in": list(values)}
        case Range(field, gt, gte, lt, lte):
            bounds = {"gt": gt, "gte": gte, "lt": lt, "lte": lte}
            return {"field": field} | {name: bound for name, bound in bounds.items() if bound is not None}
        case IsNull(field):
            return {"field": field, "is_null": True}
        case IsEmpty(field):
            return {"field": field, "is_empty": True}
    raise InvalidFilter(f"{type(condition).__name__} is no filter.")


def from_json(data: object, *, depth: int = 0) -> Filter:  # noqa: C901 - one form a case
    """The filter of a JSON form. Raises InvalidFilter for anything else: no key is passed over."""
    if not isinstance(data, Mapping):
        raise InvalidFilter("A filter is a JSON object.", hint='As in {"field": "price", "gte": 10}.')
    if depth > MAX_DEPTH:
        raise InvalidFilter(f"A filter may be nested {MAX_DEPTH} levels deep.")
    match dict(data):
        case {"and": list() as filters, **rest} if not rest:
            return And(tuple(from_json(inner, depth=depth + 1) for inner in filters))
        case {"or": list() as filters, **rest} if not rest:
            return Or(tuple(from_json(inner, depth=depth + 1) for inner in filters))
        case {"not": inner, **rest} if not rest:
            return Not(from_json(inner, depth=depth + 1))
        case {"field": field, "eq": value, **rest} if not rest:
            return Equals(field, value)
        case {"field": field, "in": list() as values, **rest} if not rest:
            return In(field, tuple(values))
        case {"field": field, "is_null": True, **rest} if not rest:
            return IsNull(field)
        case {"field": field, "is_empty": True, **rest} if not rest:
            return IsEmpty(field)
        case {"field": field, **bounds} if bounds and bounds.keys() <= {"gt", "gte", "lt", "lte"}:
            return Range(field, **bounds)
    raise InvalidFilter(
        "A part of the filter has no known form.",
        hint="The forms are and, or, not, and a field with eq, in, is_null, is_empty, or any of gt, gte, lt, lte.",
    )


def _elements(payload: Mapping[str, Any], field: str) -> Sequence[Any]:
    if field not in payload:
        return ()
    value = payload[field]
    return value if isinstance(value, list | tuple) else (value,)


def _equal(element: Any, value: Scalar) -> bool:
    if isinstance(element, bool) or isinstance(value, bool):
        return element is value
    if isinstance(element, int | float) and isinstance(value, int | float):
        return element == value
    return isinstance(element, str) and element == value


def _within(element: Any, bounds: Range) -> bool:
    if isinstance(element, bool) or not isinstance(element, int | float):
        return False
    return (
        (bounds.gt is None or element > bounds.gt)
        and (bounds.gte is None or element >= bounds.gte)
        and (bounds.lt is None or element < bounds.lt)
        and (bounds.lte is None or element <= bounds.lte)
    )


def _check_field(field: object) -> None:
    if not isinstance(field, str) or not field or "\0" in field:
        raise InvalidFilter("The field of a filter is the name of a payload's key.")


def _check_scalar(value: object) -> None:
    if not isinstance(value, str | int | float):
        kind = "null: use is_null" if value is None else type(value).__name__
        raise InvalidFilter(f"A field is compared with a string, a number or a boolean, not {kind}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidFilter("A field can't be compared with NaN or infinity.")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise InvalidFilter("A number of a filter is at most 2**53.", hint="Store larger ones as strings.")
    if isinstance(value, str) and "\0" in value:
        raise InvalidFilter("A string of a filter can't hold a NUL character.")


def _filters(filters: Sequence[Filter]) -> tuple[Filter, ...]:
    checked = tuple(filters)
    for each in checked:
        if not isinstance(each, Filter):
            raise InvalidFilter(f"{type(each).__name__} is no filter.")
    if sum(map(_size, checked)) > MAX_NODES:
        raise InvalidFilter(f"A filter may have {MAX_NODES} parts.")
    if checked and max(map(_depth, checked)) > MAX_DEPTH:
        raise InvalidFilter(f"A filter may be nested {MAX_DEPTH} levels deep.")
    return checked


def _inner(condition: Filter) -> tuple[Filter, ...]:
    match condition:
        case And(filters) | Or(filters):
            return filters
        case Not(inner):
            return (inner,)
    return ()


def _size(condition: Filter) -> int:
    return 1 + sum(map(_size, _inner(condition))) + (len(condition.values) if isinstance(condition, In) else 0)


def _depth(condition: Filter) -> int:
    return 1 + max(map(_depth, _inner(condition)), default=0)
