"""A reader of Pub/Sub: what has arrived, as messages, and what may have been lost between them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from oneiric_redis_pubsub.envelope import opened
from oneiric_redis_pubsub.inbox import Inbox
from oneiric_redis_pubsub.listener import Joined, Listener

if TYPE_CHECKING:
    from oneiric.adapters.messaging import Gap, Message, OnGap

    from oneiric_redis_pubsub.listener import Arrived
    from oneiric_redis_pubsub.session import Session

logger = logging.getLogger("oneiric_redis_pubsub")

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\?["})
"""What Redis' patterns have beside the star stands for itself."""
_SPECIAL_AND_STAR = {**_SPECIAL, ord("*"): "\\*"}


class Subscription:
    """The messages of a queue, or of all that fit a pattern, from now on until it is stopped."""

    def __init__(self, session: Session, prefix: str, queue: str, on_gap: OnGap | None, size: int) -> None:
        self._prefix = len(prefix)
        self._on_gap = on_gap
        self._inbox: Inbox[Arrived | Joined] = Inbox(size)
        command, channel = "SUBSCRIBE", f"{prefix}{queue}"
        if "*" in queue:
            command, channel = "PSUBSCRIBE", prefix.translate(_SPECIAL_AND_STAR) + queue.translate(_SPECIAL)
        self._listener = Listener(session, command, channel, queue, self._inbox)

    async def next(self) -> Message | None:
        """The next message; None once it is stopped. Raises an OneiricError where the server refuses to be listened to."""
        while (arrived := await self._inbox.get()) is not None:
            if isinstance(arrived, Joined):
                if arrived.gap is not None:
                    await told(self._on_gap, arrived.gap)
                continue
            channel, payload = arrived
            try:
                return opened(channel.decode()[self._prefix :], payload)
            except ValueError:  # JSON's and UnicodeDecodeError are such
                logger.warning("What was published to a channel that is listened to is no JSON object; it is dropped.")
        return None

    def stop(self) -> None:
        """Give nothing more."""
        self._inbox.close()

    async def close(self) -> None:
        """Let go of the connection."""
        self._inbox.close()
        await self._listener.stop()


async def told(on_gap: OnGap | None, gap: Gap) -> None:
    """Tell of a gap; what `on_gap` raises goes no further than the log."""
    if on_gap is None:
        logger.warning("Messages may have been lost: %s", gap.reason)
        return
    try:
        await on_gap(gap)
    except Exception:
        logger.exception("`on_gap` has raised.")
