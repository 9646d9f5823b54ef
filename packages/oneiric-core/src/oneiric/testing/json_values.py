"""Payloads that are hard on an adapter: what JSON can hold and gets lost on the way, and what it can't."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


def _nested(depth: int) -> Any:
    value: Any = "innermost"
    for _ in range(depth):
        value = [value]
    return value


def _recursive() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


HOSTILE: dict[str, Any] = {
    "null": None,
    "booleans": [True, False, 1, 0],
    "64-bit edges": [2**63 - 1, -(2**63), 2**64 - 1, 2**53 + 1],
    "beyond 64 bits": 10**40,
    "floats": [0.1, 1.0, -0.0, 5e-324, 1.7976931348623157e308],
    "empty": ["", [], {}, [[]], {"": ""}],
    "unicode": ["Zürich", "日本語", "👩‍👩‍👧", "\u202e", "e\u0301", "\ufeff", "\U0010ffff"],
    "control characters": ["\x00", "a\x00b", "\n\r\t\x1b\x7f\u2028"],
    "quotes": ["'", '"', "\\", "%s", "{0}", "$1", "'; DROP TABLE x; --", "<script>"],
    "reserved names": {"id": 1, "task_id": 2, "queue": 3, "self": 4, "__type__": "datetime", "$ref": 5, "py/object": 6},
    "looks like another type": ["null", "1", "true", "2026-01-01T00:00:00+00:00", "NaN"],
    "deep": _nested(50),
    "wide": {f"key {number}": number for number in range(1000)},
    "huge": "0123456789abcdef" * 65_536,
}
"""What has to arrive as it was, by a word for it."""

NOT_JSON: dict[str, Any] = {
    "bytes": b"bytes",
    "a set": {1, 2},
    "not a number": float("nan"),
    "infinity": float("-inf"),
    "an object": object(),
    "a class": ValueError,
    "a date": datetime(2026, 1, 1, tzinfo=UTC),
    "a decimal": Decimal("1.5"),
    "a uuid": UUID(int=1),
    "a complex number": 1j,
    "a key that is a number": {1: "one"},
    "a key that is None": {None: "nothing"},
    "a function": len,
    "what contains itself": _recursive(),
}
"""What no payload may hold, by a word for it."""


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is not 1.0, and not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
