"""How far groups are behind, for a health check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric_redis_pubsub.streams.entry import fields_of

if TYPE_CHECKING:
    from oneiric_redis_pubsub.line import Line
    from oneiric_redis_pubsub.streams.keys import Keys

_MOST = 20
"""Queues that a health check asks for: those that were used last."""


class Lag:
    """Knows the queues that an adapter uses, and asks for their groups."""

    def __init__(self) -> None:
        self._queues: dict[str, Keys] = {}

    def watch(self, keys: Keys) -> None:
        """A queue is used."""
        self._queues.pop(keys.queue, None)
        self._queues[keys.queue] = keys
        if len(self._queues) > _MOST:
            del self._queues[next(iter(self._queues))]

    async def sentence(self, line: Line) -> str:
        """What each group has not been given yet, or has not acknowledged; empty where there is nothing."""
        queues = [*self._queues.values()]
        answers = await line.call_all([("XINFO", "GROUPS", keys.stream) for keys in queues])
        parts = []
        for keys, groups in zip(queues, answers, strict=True):
            for flat in [] if isinstance(groups, Exception) else groups:
                about: dict[bytes, Any] = {**fields_of(flat)}
                behind, pending = about.get(b"lag"), about[b"pending"]
                if behind != 0 or pending != 0:
                    how_far = "an unknown number" if behind is None else behind
                    name = about[b"name"].decode(errors="replace")
                    parts.append(f"`{keys.queue}` for `{name}`: {how_far} to be given, {pending} pending")
        return f"{'; '.join(parts)}." if parts else ""
