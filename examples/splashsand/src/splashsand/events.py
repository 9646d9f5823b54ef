"""Deployment events: published by who deploys, received by whoever wants to know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from oneiric.errors import InvalidMessage, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.adapters.messaging import Callback, MessageAdapter, OnGap

ALL = "*"
"""To subscribe to the events of every sandcastle, where the bus has patterns."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class SplashSandEvents:
    """The events of sandcastles, each on its queue `sandcastle:{name}:events`, over an adapter that is initialised.

    What is promised is the bus's own promise: over `redis-pubsub` who listens hears an event at once, and who doesn't never;
    over `redis-streams` a subscriber that was down gets what it has missed, and none is lost.
    """

    def __init__(self, message_adapter: MessageAdapter) -> None:
        self.message_adapter = message_adapter
        self._has_order = True
        """Until the bus says that it knows no keys."""

    async def publish_deployment_event(self, sandcastle: str, event: str, data: Mapping[str, Any] | None = None) -> str:
        """Publish that something has happened to a sandcastle; returns the message's id once the bus has it.

        Raises InvalidMessage for a name that can't be and for data that JSON can't hold, and as `MessageAdapter.publish` does.
        """
        if not event or not isinstance(event, str):
            raise InvalidMessage("An event has a name.", hint="As `deployed`.")
        queue = _queue(sandcastle)
        message = {"sandcastle": sandcastle, "event": event, "data": dict(data or {})}
        if self._has_order:
            try:  # with a key: several who share the work of one subscriber still handle one event after the other
                return await self.message_adapter.publish(queue, message, key=sandcastle)
            except Unsupported:
                self._has_order = False
        return await self.message_adapter.publish(queue, message)

    async def subscribe_to_events(
        self, sandcastle: str, callback: Callback, *, subscriber: str | None = None, on_gap: OnGap | None = None
    ) -> None:
        """Await `callback` for each event of a sandcastle (`*`: of every one), in their order, until cancelled or cleaned up.

        It is given a message, which is a mapping: `message["event"]`, `message["data"]`. `subscriber` is who asks: on a bus that
        keeps what is published, each subscriber gets every event, also those from before it came and from while it was down,
        and processes that give one name share them. The bus's default group is one such name. `on_gap` is told when events may
        have been lost. Raises as `MessageAdapter.consume` does.
        """
        queue = _queue(sandcastle, may_be_all=True)
        try:
            await self.message_adapter.consume(queue, callback, group=subscriber, on_gap=on_gap)
        except Unsupported:
            if subscriber is None:
                raise
            # A bus without groups gives everybody all: a name makes no difference.
            await self.message_adapter.consume(queue, callback, on_gap=on_gap)


def _queue(sandcastle: str, *, may_be_all: bool = False) -> str:
    if isinstance(sandcastle, str) and (_NAME.fullmatch(sandcastle) or (may_be_all and sandcastle == ALL)):
        return f"sandcastle:{sandcastle}:events"
    raise InvalidMessage(
        "The name of a sandcastle is 1 to 100 of A-Z, a-z, 0-9, `.`, `_` and `-`, and begins with a letter or digit."
    )
