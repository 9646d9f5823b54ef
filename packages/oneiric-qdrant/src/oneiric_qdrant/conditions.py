"""From our filters to Qdrant's, form by form, so that each means what `oneiric.adapters.vector.filters.matches` says.

Numbers are compared by ranges, as `MatchValue(1)` misses 1.0. Qdrant's `is_null` holds for an array with a null in it too,
which is not empty, so null is what is both. A negated filter is nested: beside others in one `must_not` it would be De
Morgan's mistake.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from oneiric.adapters.vector.filters import And, Equals, Filter, In, IsEmpty, IsNull, Not, Or, Range
from oneiric.errors import Unsupported

from oneiric_qdrant.points import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oneiric.adapters.vector.filters import Scalar

C = TypeVar("C")


class Dialect(ABC, Generic[C]):
    """The forms that are used of Qdrant's filters; each of its two libraries has its own classes for them."""

    @abstractmethod
    def texts(self, field: str, texts: Sequence[str]) -> C:
        """An element is one of the texts, of which there is at least one."""

    @abstractmethod
    def boolean(self, field: str, value: bool) -> C:
        """An element is that boolean."""

    @abstractmethod
    def within(self, field: str, bounds: Range) -> C:
        """An element is a number within the bounds."""

    @abstractmethod
    def null(self, field: str) -> C:
        """The field is null, or an array with null in it."""

    @abstractmethod
    def empty(self, field: str) -> C:
        """The field is missing, null, or an empty array."""

    @abstractmethod
    def nothing(self) -> C:
        """Met by no point."""

    @abstractmethod
    def all_of(self, conditions: Sequence[C]) -> C:
        """All of them, of which there is at least one."""

    @abstractmethod
    def any_of(self, conditions: Sequence[C]) -> C:
        """One of them, of which there is at least one."""

    @abstractmethod
    def not_(self, condition: C) -> C:
        """Not that one."""


def translated(condition: Filter, dialect: Dialect[C]) -> C:  # noqa: C901 - one form a case
    """The filter in Qdrant's terms. Raises Unsupported for a node that is none of ours."""
    match condition:
        case And(()):
            return dialect.not_(dialect.nothing())
        case And(filters):
            return dialect.all_of([translated(inner, dialect) for inner in filters])
        case Or(filters):
            return _any(dialect, [translated(inner, dialect) for inner in filters])
        case Not(inner):
            return dialect.not_(translated(inner, dialect))
        case Equals(field, value):
            return _any(dialect, list(_equal(dialect, field, (value,))))
        case In(field, values):
            return _any(dialect, list(_equal(dialect, field, values)))
        case Range(field):
            return dialect.within(field, condition) if is_text(field) else dialect.nothing()
        case IsNull(field) if is_text(field):
            return dialect.all_of([dialect.null(field), dialect.empty(field)])
        case IsNull():
            return dialect.nothing()
        case IsEmpty(field):
            return dialect.empty(field) if is_text(field) else dialect.not_(dialect.nothing())
    raise Unsupported(f"Qdrant can't express {type(condition).__name__}.")


def _any(dialect: Dialect[C], conditions: Sequence[C]) -> C:
    return dialect.any_of(conditions) if conditions else dialect.nothing()


def _equal(dialect: Dialect[C], field: str, values: Sequence[Scalar]) -> Iterator[C]:
    """A condition for each kind of value; none for what no record can hold."""
    if not is_text(field):
        return
    texts = [value for value in values if isinstance(value, str) and is_text(value)]
    if texts:
        yield dialect.texts(field, texts)
    for value in values:
        if isinstance(value, bool):
            yield dialect.boolean(field, value)
        elif isinstance(value, int | float):
            yield dialect.within(field, Range(field, gte=value, lte=value))
