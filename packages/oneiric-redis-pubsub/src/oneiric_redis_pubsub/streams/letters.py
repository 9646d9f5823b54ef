"""Dead letters: what was put aside, looked at, given again, and removed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oneiric.adapters.messaging import DeadLetter, Message

from oneiric_redis_pubsub.streams import scripts
from oneiric_redis_pubsub.streams.entry import fields_of, message_of, time_of
from oneiric_redis_pubsub.streams.membership import LONG_AGO, NOBODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric_redis_pubsub.line import Line
    from oneiric_redis_pubsub.streams.keys import Keys

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, with all that is known of it."""

    id: str
    """Of the letter; its message has an id of its own."""
    letter: DeadLetter
    history: list[dict[str, Any]]
    """Each delivery that failed: `delivery`, `at`, `consumer`, `error`."""


class Letters:
    """The dead letters of a group of a queue."""

    def __init__(self, line: Line, keys: Keys, group: str) -> None:
        self._line = line
        self._keys = keys
        self._group = group

    async def oldest(self, limit: int, timeout: float | None = None) -> list[Letter]:
        """The oldest first."""
        key = self._keys.dead(self._group)
        found = await self._line.call("XRANGE", key, "-", "+", "COUNT", limit, timeout=timeout) if limit > 0 else []
        return [self._letter(entry_id, fields_of(flat)) for entry_id, flat in found]

    async def replay(self, ids: Sequence[str] | None = None) -> int:
        """Give letters to their group again, as if they were new, and to no other group; all of them, where None. How many."""
        replayed = 0
        for each in ids if ids is not None else await self._ids():
            keys = (self._keys.dead(self._group), self._keys.stream)
            arguments = (each, self._group, NOBODY, LONG_AGO)
            replayed += await scripts.REVIVE.run(self._line, keys, arguments) is not None
        return replayed

    async def purge(self, ids: Sequence[str] | None = None) -> int:
        """Remove letters for good; all of them, where None. How many."""
        key = self._keys.dead(self._group)
        removed = 0
        found = [*(ids if ids is not None else await self._ids())]
        for start in range(0, len(found), _BATCH):
            removed += await self._line.call("XDEL", key, *found[start : start + _BATCH])
        return removed

    async def _ids(self) -> list[str]:
        ids: list[str] = []
        start = "-"
        while True:
            found = await self._line.call("XRANGE", self._keys.dead(self._group), start, "+", "COUNT", _BATCH)
            ids += [entry_id.decode() for entry_id, _ in found]
            if len(found) < _BATCH:
                return ids
            start = f"({ids[-1]}"

    def _letter(self, entry_id: bytes, fields: dict[bytes, bytes]) -> Letter:
        message_id, count = fields[b".id"], int(fields[b".count"])
        try:
            message = message_of(self._keys.queue, message_id, fields, count)
        except ValueError:
            message = self._no_message(message_id, fields, count)
        error = fields[b".error"].decode(errors="replace")
        return Letter(entry_id.decode(), DeadLetter(message, error), json.loads(fields[b".history"]))

    def _no_message(self, message_id: bytes, fields: dict[bytes, bytes], count: int) -> Message:
        """What another client has added, as it stands."""
        body = {
            name.decode(errors="replace"): text.decode(errors="replace")
            for name, text in fields.items()
            if not name.startswith(b".")
        }
        return Message(message_id.decode(), self._keys.queue, body, time_of(message_id), count)
