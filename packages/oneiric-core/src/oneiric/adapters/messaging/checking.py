"""What each message adapter checks before it sends anything: names, messages and what a consumer asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from oneiric.adapters.messaging.base import GAPS, GROUPS, IDEMPOTENCY, ORDER_BY_KEY, PATTERNS, REPLAY, Outgoing
from oneiric.adapters.payload import json_text
from oneiric.errors import InvalidMessage, Unsupported

if TYPE_CHECKING:
    from collections.abc import Collection

LONGEST_NAME = 200


@dataclass(
    slots=True, kw_only=True, eq=False
)  # not frozen: to make one would take three times as long, and each message has one
class Checked:
    """A message that can be published as it stands; nobody changes it."""

    body: str
    """As JSON text: an object."""
    key: str | None
    headers: Mapping[str, str]
    idempotency_key: str | None


class Checks:
    """The checks of one adapter. They raise InvalidMessage for what can't be, and Unsupported for what it can't do."""

    def __init__(self, capabilities: Collection[str], adapter: str | None = None) -> None:
        self.capabilities = capabilities
        self.adapter = adapter

    def queue(self, queue: object) -> None:
        """The name of a queue to publish to."""
        if not _is_name(queue) or "*" in str(queue):
            self._refuse(
                f"A queue's name is not 1 to {LONGEST_NAME} characters that can be printed, `*` not among them"
            )

    def source(self, queue: object) -> None:
        """The name of a queue to receive from, or a pattern."""
        if isinstance(queue, str) and "*" in queue:
            self.can(PATTERNS, queue)
            queue = queue.replace("*", "-")
        self.queue(queue)

    def message(self, message: object) -> Checked:
        """A message to be published: a mapping, or an Outgoing."""
        if isinstance(message, Outgoing):
            return self.outgoing(message.body, message.key, message.headers, message.idempotency_key)
        return self.outgoing(message, None, {}, None)

    def outgoing(self, body: object, key: object, headers: object, idempotency_key: object) -> Checked:
        """A message to be published, from the arguments of `publish`."""
        return Checked(
            key=self._key("key", ORDER_BY_KEY, key),
            idempotency_key=self._key("idempotency_key", IDEMPOTENCY, idempotency_key),
            body=self._body(body),
            headers=self._headers(headers),
        )

    def consumer(self, callback: object, group: object, concurrency: object) -> None:
        """What is asked for of a consumer."""
        self.can(GROUPS, group)
        if not callable(callback):
            self._refuse("`callback` can't be called")
        if group is not None and not _is_name(group):
            self._refuse(f"`group` is not 1 to {LONGEST_NAME} characters that can be printed")
        if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
            self._refuse("`concurrency` is not a whole number from 1")

    def beginning(self, since: object, on_gap: object) -> None:
        """Where in time to begin, and who is told of gaps."""
        self.can(REPLAY, since)
        self.can(GAPS, on_gap)
        if isinstance(since, datetime):
            if since.utcoffset() is None:
                self._refuse("`since` is a datetime without a time zone")
        elif since is not None and not isinstance(since, str):
            self._refuse("`since` is neither a message's id nor a datetime")

    def can(self, capability: str, option: object) -> None:
        """See that an option that was given can be had."""
        if option is not None and capability not in self.capabilities:
            raise Unsupported(f"This bus lacks the capability `{capability}`.", adapter=self.adapter)

    def _key(self, name: str, capability: str, key: Any) -> str | None:
        if key is None:
            return None
        self.can(capability, key)
        if not _is_name(key):
            self._refuse(f"`{name}` is not 1 to {LONGEST_NAME} characters that can be printed")
        return str(key)

    def _body(self, body: object) -> str:
        if not isinstance(body, Mapping):
            self._refuse("The message is not a mapping")
        try:
            return json_text(body if type(body) is dict else dict(body), "message")
        except ValueError as error:
            raise InvalidMessage(f"{error} Nothing was published.", adapter=self.adapter) from None

    def _headers(self, headers: Any) -> Mapping[str, str]:
        if type(headers) is dict and not headers:
            return {}
        if not isinstance(headers, Mapping):
            self._refuse("`headers` is not a mapping")
        if not all(isinstance(each, str) for item in headers.items() for each in item):
            self._refuse("`headers` has a name or value that is no string")
        try:
            json_text(dict(headers), "headers")
        except ValueError as error:
            raise InvalidMessage(f"{error} Nothing was published.", adapter=self.adapter) from None
        return dict(headers)

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidMessage(f"{what}.", adapter=self.adapter)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME and value.isprintable()
