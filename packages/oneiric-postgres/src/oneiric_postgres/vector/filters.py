"""A filter as SQL over the jsonb column `payload`, its fields and values bound: none is ever part of the text.

Each condition is true or false, never null, so that `NOT` means what it says. Equality is written as containment, which a
GIN index (`jsonb_path_ops`) answers; what is left is a look at the row.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from oneiric.adapters.vector.filters import And, Equals, In, IsEmpty, IsNull, Not, Or, Range
from oneiric.errors import InvalidFilter

from oneiric_postgres.vector.encoding import is_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.vector.filters import Filter, Scalar

    Bind = Callable[[Any], str]
    """Takes a value to be bound, and gives its place in the text: `$3`."""

_FEW = 16
"""So many values are looked for one by one in the GIN index."""
_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def where(filter: Filter | None, values: list[Any]) -> str:
    """The WHERE of a filter, or nothing for None; what it binds is added to the values."""
    if filter is None:
        return ""

    def bind(value: Any) -> str:
        values.append(value)
        return f"${len(values)}"

    return f"WHERE {condition(filter, bind)}"


def condition(filter: Filter, bind: Bind) -> str:
    """The SQL of a filter: one condition that may stand behind WHERE, NOT, AND and OR as it is.

    What a payload can't hold, half a surrogate pair, is in none: a field of such a name is missing, such a value nobody's.
    """
    match filter:
        case And(filters):
            return f"({' AND '.join(condition(each, bind) for each in filters) or 'TRUE'})"
        case Or(filters):
            return f"({' OR '.join(condition(each, bind) for each in filters) or 'FALSE'})"
        case Not(inner):
            return f"(NOT {condition(inner, bind)})"
        case IsEmpty(field):
            return _is_empty(field, bind) if is_text(field) else "TRUE"
    return _of_a_field(filter, bind) if is_text(filter.field) else "FALSE"  # type: ignore[attr-defined]


def _of_a_field(filter: Filter, bind: Bind) -> str:
    match filter:
        case Equals(field, value):
            return _equal(field, (value,), bind)
        case In(field, values):
            return _equal(field, values, bind)
        case Range(field):
            return f"(payload @? {bind(_path(filter))}::jsonpath)"
        case IsNull(field):
            return f"(payload @> {bind(json.dumps({field: None}))}::jsonb)"
    raise InvalidFilter(f"{type(filter).__name__} is no filter.")


def _equal(field: str, values: tuple[Scalar, ...], bind: Bind) -> str:
    """The field contains one of the values, or is an array that does: containment looks into an array, not through it."""
    held = [value for value in values if not isinstance(value, str) or is_text(value)]
    if not held:
        return "FALSE"
    if len(held) == 1:
        alone, inside = (bind(json.dumps({field: each})) for each in (held[0], held))
        return f"(payload @> {alone}::jsonb OR payload @> {inside}::jsonb)"
    if len(held) > _FEW:
        return _in(bind(field), bind([json.dumps(value) for value in held]))
    objects = [json.dumps({field: each}) for value in held for each in (value, [value])]
    return f"(payload @> ANY({bind(objects)}::jsonb[]))"


def _in(field: str, values: str) -> str:
    """One of many values: they are hashed once, where containment would be tried with one after the other, on each row."""
    wanted = f"(SELECT unnest({values}::jsonb[]))"
    return (
        f"(CASE jsonb_typeof(payload -> {field}::text) "
        f"WHEN 'array' THEN EXISTS (SELECT FROM jsonb_array_elements(payload -> {field}::text) AS one WHERE one IN {wanted}) "
        f"ELSE COALESCE((payload -> {field}::text) IN {wanted}, FALSE) END)"
    )


def _path(filter: Range) -> str:
    """The range as jsonpath. By its own lights that would take texts as no number, and look into arrays in arrays."""
    bounds = {name: getattr(filter, name) for name in _OPERATORS}
    within = " && ".join(
        f"@ {_OPERATORS[name]} {json.dumps(bound)}" for name, bound in bounds.items() if bound is not None
    )
    return f'$.{json.dumps(filter.field)} ? (@.type() == "number" && {within})'


def _is_empty(field: str, bind: Bind) -> str:
    return f"(COALESCE(payload -> {bind(field)}::text, 'null') IN ('null', '[]'))"
