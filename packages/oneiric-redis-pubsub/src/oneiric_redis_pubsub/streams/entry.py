"""An entry of a stream, and the message that it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from oneiric.adapters.messaging import Message
from oneiric.errors import InvalidMessage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_LARGEST = 2**64 - 1

Fields = dict[bytes, bytes]


@dataclass(eq=False, slots=True)
class Delivery:
    """A message that a consumer has."""

    id: bytes
    fields: Fields
    count: int
    """Which delivery of it this is; where `is_again`, how many there were before."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """What became of the earlier ones."""
    follower: Delivery | None = None
    """The next of its key, where the same consumer has it: it waits."""
    is_again: bool = False
    """Whether it may have been given before, so that the server has to count a delivery when it begins."""
    is_begun: bool = False
    is_lost: bool = False
    """Whether it is another consumer's by now."""
    since: float = 0.0
    """When it came, on the event loop's clock."""

    @property
    def has_key(self) -> bool:
        """Whether others may wait for it."""
        return b"key" in self.fields


def fields_of(flat: list[bytes]) -> Fields:
    """The fields of an entry."""
    values = iter(flat)
    return dict(zip(values, values, strict=True))


def message_of(queue: str, entry_id: bytes, fields: Fields, count: int = 1) -> Message:
    """The message. Raises ValueError where it is none: another client has added it."""
    body = json.loads(fields.get(b"body", b""))
    if not isinstance(body, dict):
        raise ValueError("its body is no JSON object")
    headers = json.loads(fields[b"headers"]) if b"headers" in fields else {}
    key = fields.get(b"key")
    if not isinstance(headers, dict):
        raise ValueError("its headers are no JSON object")
    return Message(
        entry_id.decode(), queue, body, time_of(entry_id), count, headers, None if key is None else key.decode()
    )


def time_of(entry_id: bytes) -> datetime:
    """When an entry was added."""
    return _EPOCH + timedelta(milliseconds=int(entry_id.partition(b"-")[0]))


def number_of(entry_id: bytes) -> tuple[int, int]:
    """An id, as what can be compared."""
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds), int(sequence or 0)


def beginning(since: str | datetime, adapter: str | None) -> str:
    """The id after which to begin. Raises InvalidMessage."""
    if isinstance(since, datetime):
        milliseconds = (since - _EPOCH) // timedelta(milliseconds=1)
        return f"{max(milliseconds, 0)}-{_LARGEST}" if milliseconds >= 0 else "0-0"
    if since == "0":
        return "0-0"
    if _ID.fullmatch(since) is None or any(int(part) > _LARGEST for part in since.split("-")):
        raise InvalidMessage("`since` is not the id of a message.", adapter=adapter)
    return since
