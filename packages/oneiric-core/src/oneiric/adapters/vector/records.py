"""What every vector index takes and refuses: one set of checks, so that a record is right or wrong on all of them alike."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oneiric.adapters.vector.base import MAX_DIMENSION, MAX_ID_LENGTH, MAX_PAYLOAD_DEPTH, Collection, Distance, Record
from oneiric.adapters.vector.filters import MAX_INTEGER, Filter
from oneiric.errors import InvalidFilter, InvalidRecord, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")


def checked_collection(name: object, dimension: object, distance: object, adapter: str | None = None) -> Collection:
    """The collection of that name, dimension and distance. Raises InvalidRequest where it can't be."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        hint = "It has 1 to 60 letters (a to z), digits, `-` and `_`, and starts with a letter."
        raise InvalidRequest("The name of the collection can't be.", adapter=adapter, hint=hint)
    if not isinstance(dimension, int) or isinstance(dimension, bool) or not 1 <= dimension <= MAX_DIMENSION:
        raise InvalidRequest(f"A dimension is a whole number from 1 to {MAX_DIMENSION}.", adapter=adapter)
    try:
        return Collection(name, dimension, Distance(distance))  # type: ignore[arg-type]
    except ValueError:
        raise InvalidRequest(f"A distance is one of {', '.join(Distance)}.", adapter=adapter) from None


def check_limit(limit: object, adapter: str | None = None, *, least: int = 0) -> None:
    """Raise InvalidRequest where a limit, or with `least=1` a batch size, is no whole number or too small."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < least:
        raise InvalidRequest(f"A limit or batch size is a whole number, {least} at least.", adapter=adapter)


def check_filter(condition: object, adapter: str | None = None) -> None:
    """Raise InvalidFilter for what is neither None nor a Filter: passed over, it would give one the others' records."""
    if condition is not None and not isinstance(condition, Filter):
        hint = "Write it with F, or read its JSON form with `filters.from_json`."
        raise InvalidFilter(f"A filter is a Filter, not {type(condition).__name__}.", adapter=adapter, hint=hint)


def checked_records(
    collection: Collection, records: Iterable[Record], adapter: str | None = None, *, first: int = 1
) -> dict[str, Record]:
    """The records by their ids, of two with one id the later, their vectors as 32-bit floats, their payloads copied.

    Raises InvalidRecord for the first that is wrong, with its number (`first` is that of the first one, where these are a
    part of more), and what the iterable raises itself.
    """
    found: dict[str, Record] = {}
    for number, record in enumerate(records, first):
        try:
            id_ = _checked_id(record)
            found[id_] = Record(id_, checked_vector(collection, record.vector), _checked_payload(record.payload))
        except InvalidRecord as error:
            error.adapter = adapter
            error.message = f"Record {number}: {error.message}"
            raise
    return found


def checked_vector(collection: Collection, vector: Sequence[float], adapter: str | None = None) -> array[float]:
    """The vector as 32-bit floats. Raises InvalidRecord where it has no place in the collection."""
    floats = _floats(vector, adapter)
    if len(floats) != collection.dimension:
        raise InvalidRecord(
            f"A vector of {collection.name!r} has {collection.dimension} numbers; this one has {len(floats)}.",
            adapter=adapter,
        )
    if not math.isfinite(sum(floats)):  # their sum is a 64-bit float, which none of 32 bits can overflow
        raise InvalidRecord("A number of the vector is NaN, infinite, or too large for 32 bits.", adapter=adapter)
    if collection.distance is Distance.COSINE and not any(floats):
        raise InvalidRecord("A vector of zeros has no direction.", adapter=adapter, hint="Use another distance.")
    return floats


def _floats(vector: Sequence[float], adapter: str | None) -> array[float]:
    try:
        if isinstance(vector, str | bytes | bytearray | memoryview):  # the latter would be taken as raw floats
            raise TypeError
        return array("f", vector)
    except (TypeError, OverflowError):
        raise InvalidRecord("A vector is a sequence of numbers that fit into 32 bits.", adapter=adapter) from None


def _checked_id(record: object) -> str:
    if not isinstance(record, Record):
        raise InvalidRecord(f"A record is a Record, not {type(record).__name__}.")
    id_: object = record.id
    if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID_LENGTH or not _is_text(id_):
        raise InvalidRecord(
            f"An id is a string of 1 to {MAX_ID_LENGTH} characters, without NUL characters and lone surrogates."
        )
    return id_


def _checked_payload(payload: object) -> Mapping[str, Any]:
    if not isinstance(payload, Mapping):
        raise InvalidRecord(f"A payload is a JSON object, not {type(payload).__name__}.")
    copied: Mapping[str, Any] = _copied(payload, 1)
    return copied


def _copied(value: object, depth: int) -> Any:
    """A copy of a JSON value that nobody else can change."""
    if not isinstance(value, Mapping | list | tuple):
        return _checked_scalar(value)
    if depth > MAX_PAYLOAD_DEPTH:
        raise InvalidRecord(f"A payload is nested {MAX_PAYLOAD_DEPTH} levels deep at most.")
    if isinstance(value, Mapping):
        return {_checked_key(key): _copied(inner, depth + 1) for key, inner in value.items()}
    return [_copied(inner, depth + 1) for inner in value]


def _checked_scalar(value: object) -> object:
    if isinstance(value, str) and not _is_text(value):
        raise InvalidRecord("A string of the payload holds a NUL character or a lone surrogate.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidRecord("A number of the payload is NaN or infinite, which JSON has not.")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise InvalidRecord("An integer of the payload is beyond 2**53.", hint="Store it as a string.")
    if value is not None and not isinstance(value, str | int | float):
        raise InvalidRecord(f"A payload holds JSON values, not {type(value).__name__}.")
    return value


def _checked_key(key: object) -> str:
    if not isinstance(key, str) or not _is_text(key):
        raise InvalidRecord("A key of the payload is a string, without NUL characters and lone surrogates.")
    return key


def _is_text(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
