"""The contract of a message bus."""

from oneiric.adapters.messaging.base import (
    AT_LEAST_ONCE,
    DEAD_LETTERS,
    DURABLE,
    GAPS,
    GROUPS,
    IDEMPOTENCY,
    ORDER_BY_KEY,
    PATTERNS,
    REPLAY,
    Callback,
    DeadLetter,
    Gap,
    Message,
    MessageAdapter,
    OnGap,
    Outgoing,
)

__all__ = [
    "AT_LEAST_ONCE",
    "DEAD_LETTERS",
    "DURABLE",
    "GAPS",
    "GROUPS",
    "IDEMPOTENCY",
    "ORDER_BY_KEY",
    "PATTERNS",
    "REPLAY",
    "Callback",
    "DeadLetter",
    "Gap",
    "Message",
    "MessageAdapter",
    "OnGap",
    "Outgoing",
]
