"""How a message looks on a channel: JSON, in which the body is beside what is known of the message.

`{"oneiric":{"id":"…","at":1770000000.123,"headers":{…}},"body":{…}}`, so that a client in any language can read it. An
object that isn't of this form was published by another client, and is a message as it stands.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from oneiric.adapters.messaging import Message

if TYPE_CHECKING:
    from oneiric.adapters.messaging.checking import Checked

_IDS = count(1)


class Envelopes:
    """Puts messages into envelopes; each gets an id of its own."""

    def __init__(self) -> None:
        self._origin = os.urandom(9).hex()
        self._ids = count(1)

    def sealed(self, checked: Checked) -> tuple[str, str]:
        """The id that the message gets, and the text that is published."""
        message_id = f"{self._origin}-{next(self._ids):x}"
        headers = f',"headers":{json.dumps(dict(checked.headers), ensure_ascii=False)}' if checked.headers else ""
        about = f'"id":"{message_id}","at":{time.time():.6f}{headers}'
        return message_id, f'{{"oneiric":{{{about}}},"body":{checked.body}}}'


def opened(queue: str, payload: bytes) -> Message:
    """The message that was published. Raises ValueError where it is no JSON object."""
    content = json.loads(payload)
    if not isinstance(content, dict):
        raise ValueError("it is JSON, and no object")
    about = content.get("oneiric")
    body = content.get("body")
    if len(content) == 2 and isinstance(about, dict) and isinstance(body, dict) and isinstance(about.get("id"), str):
        return Message(about["id"], queue, body, _time(about.get("at")), headers=_headers(about.get("headers")))
    return Message(f"plain-{next(_IDS):x}", queue, content)


def _time(at: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _headers(headers: Any) -> dict[str, str]:
    return {name: text for name, text in headers.items() if isinstance(text, str)} if isinstance(headers, dict) else {}
