"""Records as PostgreSQL takes and gives them: jsonb and vectors in their binary form.

An upsert of many records is as fast as this file. So a record that is plainly right is encoded without being checked number by
number and value by value: what comes out of C's encoders shows that nothing can be wrong with it. Any other goes through
`oneiric.adapters.vector.records`, which says what is.
"""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any

from oneiric.adapters.vector import Distance, Record
from oneiric.adapters.vector.base import MAX_ID_LENGTH
from oneiric.adapters.vector.filters import MAX_INTEGER
from oneiric.adapters.vector.records import checked_records, checked_vector
from oneiric.errors import InvalidRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeGuard

    from asyncpg import Connection
    from oneiric.adapters.vector import Collection

    Row = tuple[str, str, bytes]
    """A record as it is stored: its id, its payload as JSON, its vector."""

COPY_BEGINS = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_ENDS = b"\xff\xff"
"""What is before and after the rows of a COPY in binary."""

_DIGITS = bytes(ord("1") if chr(byte) in "0123456789" else 0 for byte in range(256))
"""Any digit as a 1, all else as 0: so a long number is found in a fifth of a regular expression's time."""
_LONG = b"1" * 16
"""As many digits as an integer has that may be beyond 2**53."""
_MAX_BRACKETS = 30
"""So many arrays may lie in each other without a further look."""

_SMALL, _NORMAL, _LARGE = 0, 1, 2


def _kind(byte: int) -> int:
    """What the first byte of a 32-bit float, its sign and most of its exponent, says of its size."""
    if byte & 0x7F >= 0x58:
        return _LARGE  # 2**49 and above, or infinite, or NaN
    return _NORMAL if byte & 0x7F >= 0x28 else _SMALL  # 2**-47


_KINDS = bytes(map(_kind, range(256)))


class Encoder:
    """Encodes the records and the questions of one collection."""

    def __init__(self, collection: Collection, *, is_half: bool) -> None:
        self._collection = collection
        self._is_half = is_half
        self._is_cosine = collection.distance is Distance.COSINE
        self._format = struct.Struct(f">HH{collection.dimension}{'e' if is_half else 'f'}")

    def row(self, record: Record, number: int) -> Row:
        """The record, which is that of this number. Raises InvalidRecord."""
        if type(record) is Record:
            id_, payload, vector = record.id, _plain(record.payload), self._plain(record.vector)
            if payload and vector and type(id_) is str and 0 < len(id_) <= MAX_ID_LENGTH and is_text(id_):
                return id_, payload, vector
        (checked,) = checked_records(self._collection, [record], first=number).values()
        try:
            return checked.id, _json(checked.payload), self._packed(checked.vector)
        except InvalidRecord as error:
            error.message = f"Record {number}: {error.message}"
            raise

    def vector(self, vector: Sequence[float]) -> bytes:
        """A vector that is searched for. Raises InvalidRecord."""
        return self._plain(vector) or self._packed(checked_vector(self._collection, vector))

    def numbers(self, stored: bytes) -> list[float]:
        """The numbers of a stored vector."""
        return list(self._format.unpack(stored)[2:])

    def _plain(self, vector: object) -> bytes | None:
        """The vector, or None where it may be wrong or needs to be scaled, as in 16 bits any may.

        Where no number is large none is infinite or NaN. The cosine of vectors whose numbers are all small, or that have a
        large one, is beyond the 32-bit floats in which pgvector computes it.
        """
        if self._is_half:
            return None
        numbers = vector if type(vector) is list or type(vector) is tuple else _unpacked(vector)
        if numbers is None:
            return None
        try:
            data = self._format.pack(self._collection.dimension, 0, *numbers)
        except (struct.error, OverflowError, TypeError):
            return None
        kinds = data[4::4].translate(_KINDS)
        return None if _LARGE in kinds or (self._is_cosine and _NORMAL not in kinds) else data

    def _packed(self, floats: Sequence[float]) -> bytes:
        """A vector that has been checked; for cosine it is scaled to the length 1."""
        if self._is_cosine:
            length = math.hypot(*floats)
            floats = [number / length for number in floats]
        try:
            return self._format.pack(len(floats), 0, *floats)
        except OverflowError:
            raise InvalidRecord(
                "A number of the vector is too large for 16 bits.",
                hint="In a collection with `halfvec` it is 65,504 at most.",
            ) from None


_pack_id = struct.Struct(">hi").pack
_pack_payload = struct.Struct(">iB").pack
_pack_vector = struct.Struct(">i").pack


def copied(rows: list[Row]) -> bytes:
    """Rows as a COPY in binary has them: how many columns, and before each how long it is."""
    parts: list[bytes] = []
    for id_, payload, vector in rows:
        id_bytes, payload_bytes = id_.encode(), payload.encode()
        parts += (
            _pack_id(3, len(id_bytes)),
            id_bytes,
            _pack_payload(1 + len(payload_bytes), 1),  # the version of jsonb's format
            payload_bytes,
            _pack_vector(len(vector)),
            vector,
        )
    return b"".join(parts)


async def register(connection: Connection, extension: str) -> None:
    """Have a connection take and give vectors as bytes, so that an array of them is one of vectors, and jsonb as text."""
    for name in ("vector", "halfvec"):
        await connection.set_type_codec(name, schema=extension, encoder=bytes, decoder=bytes, format="binary")
    await connection.reset_type_codec("jsonb", schema="pg_catalog")


def payloads_of(stored: list[str]) -> list[dict[str, Any]]:
    """The payloads that jsonbs hold. A float such as 1e300 is written there with all its digits.

    All are read as one array: that takes half as long as one after the other, and a key that all have is kept once.
    """
    text = f"[{','.join(stored)}]"
    scan = _scan_carefully if _LONG in text.encode().translate(_DIGITS) else _scan
    payloads: list[dict[str, Any]] = scan(text, 0)[0]
    return payloads


def is_text(value: object) -> TypeGuard[str]:
    """Whether PostgreSQL can hold it as text: a string without NUL characters and halves of surrogate pairs."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _unpacked(vector: object) -> list[Any] | None:
    """The numbers of an `array.array` or a NumPy array of floats, which would be slow one by one; None for anything else."""
    if isinstance(vector, memoryview):  # as in `records`, which takes it for bytes
        return None
    try:
        view = memoryview(vector)  # type: ignore[arg-type]
    except TypeError:
        return None
    numbers: list[Any] | None = view.tolist() if view.format in {"f", "d"} and view.ndim == 1 else None
    return numbers


def _plain(payload: object) -> str | None:
    """A flat payload, or None where it may be wrong: its keys are strings, and what JSON's encoder takes without complaint
    can only be too large an integer, a NUL, half a surrogate pair, or too deep.
    """
    if type(payload) is not dict or set(map(type, payload)) - {str}:
        return None
    try:
        text = _json(payload)
        data = text.encode()
    except (ValueError, TypeError, RecursionError):
        return None
    if _LONG in data.translate(_DIGITS) or "\\u0000" in text or text.count("{") > 1 or text.count("[") > _MAX_BRACKETS:
        return None
    return text


def _number(digits: str) -> float:
    number = int(digits)
    return number if abs(number) <= MAX_INTEGER else float(digits)


_json = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
# What `decode` does besides is to look for white space at both ends, which a jsonb has not, for half of its time.
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_scan_carefully = json.JSONDecoder(parse_int=_number).scan_once  # type: ignore[attr-defined]
