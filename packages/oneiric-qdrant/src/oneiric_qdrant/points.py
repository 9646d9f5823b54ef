"""Records as Qdrant keeps them: its ids are UUIDs, and a few keys of payloads can't be named in its filters.

A point's payload is the record's own, beside the record's id under a reserved key. A key that begins like a reserved one, or
that no path of Qdrant's can name, is kept under another; that is undone before anybody sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oneiric.adapters.vector import Record

ID = "oneiric:id"
"""The reserved key that holds the record's id."""
BOOLEANS = "oneiric:booleans"
"""The reserved key that holds, for Qdrant Edge, which fields hold which booleans; see `with_booleans`."""

_RESERVED = "oneiric:"
_KEPT_AS = "oneiric:key:"
_NAMESPACE = UUID("4f1c1e5a-6f0e-5d0b-9a57-6f6e65697269")


class Point(NamedTuple):
    """A record on its way to Qdrant."""

    id: str
    """A UUID."""
    vector: Sequence[float]
    payload: dict[str, Any]


class Found(NamedTuple):
    """A point on its way back."""

    id: str
    """Qdrant's."""
    payload: Mapping[str, Any] | None
    vector: Sequence[float] | None = None
    score: float = 0.0


def point_id(id_: str) -> str:
    """The UUID that stands for a record's id: always the same one, another for another id."""
    return str(uuid5(_NAMESPACE, id_))


def ids_of(ids: Iterable[object]) -> dict[str, str]:
    """The records' ids by the UUIDs that stand for them, each once; without what can be no record's id."""
    return {point_id(id_): id_ for id_ in ids if isinstance(id_, str) and is_text(id_)}


def is_text(text: str) -> bool:
    """Whether a record can hold it: a lone surrogate has no place in one, nor in a request."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def point_of(record: Record, vector: Sequence[float]) -> Point:
    """The point of a record that has been checked, with that vector."""
    payload = {kept(key): value for key, value in record.payload.items()}
    payload[ID] = record.id
    return Point(point_id(record.id), vector, payload)


def id_of(found: Found) -> str:
    """The record's id; Qdrant's own where another program has stored the point."""
    return str((found.payload or {}).get(ID, found.id))


def payload_of(found: Found) -> dict[str, Any]:
    """The record's payload as it was given."""
    kept = (found.payload or {}).items()
    return {_given(key): value for key, value in kept if key not in (ID, BOOLEANS)}


def path_of(field: str) -> str:
    """The path by which a filter or an index names a key of the payload, whatever is in the key."""
    return f'"{kept(field)}"'


def with_booleans(point: Point) -> Point:
    """The point with the booleans of its fields as text besides, which is what an engine matches that can't match these."""
    held = [
        boolean_of(key, element)
        for key, value in point.payload.items()
        for element in (value if isinstance(value, list) else (value,))
        if isinstance(element, bool)
    ]
    return point._replace(payload={**point.payload, BOOLEANS: sorted(set(held))}) if held else point


def boolean_of(kept: str, value: bool) -> str:
    """How it is written down that a field, by the key that it is kept under, holds that boolean."""
    return f"{str(value).lower()}:{kept}"


def kept(key: str) -> str:
    """The key that a record's key is kept under: mostly itself."""
    if '"' not in key and "\\" not in key and not key.startswith(_RESERVED):
        return key
    return _KEPT_AS + quote(key, safe=" ")


def _given(key: str) -> str:
    return unquote(key.removeprefix(_KEPT_AS)) if key.startswith(_KEPT_AS) else key
