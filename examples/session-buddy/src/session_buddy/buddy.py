"""SessionBuddy: saves reflections and finds them again, with the adapters that an oneiric.yaml names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.vector import VectorAdapter

from session_buddy.gate import Gate
from session_buddy.index import Index
from session_buddy.moving import Config, Move, config_of
from session_buddy.reflection import Reflection, Remembered
from session_buddy.reflections import Reflections
from session_buddy.store_lock import StoreLock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from oneiric import AdapterManager


class SessionBuddy:
    """A store of reflections, on two instances of an AdapterManager. `async with SessionBuddy(adapters) as buddy:` opens it.

    One process at a time has a store open, as long as all use one config file: another gets StoreInUse. Within it, any
    number of tasks may use it, also while it is moved.
    """

    def __init__(self, adapters: AdapterManager, *, database: str = "reflections", vectors: str = "memory") -> None:
        self.adapters = adapters
        self.names = database, vectors
        self._gate = Gate()
        self._moving = asyncio.Lock()
        self._configs: dict[str, Config] = {}
        """Of both instances, as they are now."""
        self._written: set[str] | None = None
        """The ids that were written since a move began."""
        self._lock = StoreLock(adapters.config.path)
        self._reflections: Reflections
        self._index: Index

    async def __aenter__(self) -> Self:
        self._lock.acquire()
        try:
            self._configs = {name: config_of(self.adapters.config[name]) for name in self.names}
            database, vectors = self.names
            self._reflections = Reflections(await self.adapters.get(database, DatabaseAdapter))
            self._index = Index(await self.adapters.get(vectors, VectorAdapter))
            await self._reflections.open()
            await self._index.open()
        except BaseException:
            self._lock.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    async def save(
        self, text: str, tags: Sequence[str] = (), *, id: str | None = None, created_at: float | None = None
    ) -> Reflection:
        """Keep a reflection; returns it as it is kept. It is when this has returned, whatever happens to the process.

        With an `id` of one's own, it can be saved again where no answer came: what is kept under an id stays as it is.
        `created_at` is now, where None. Raises InvalidReflection, and what the adapters raise.
        """
        given: dict[str, Any] = {"id": id, "created_at": created_at}
        reflection = Reflection(
            text=text, tags=tags, **{key: value for key, value in given.items() if value is not None}
        )
        async with self._gate.passing():
            try:
                return await self._keep(reflection)
            finally:  # also where it is cancelled: it may have been written
                if self._written is not None:
                    self._written.add(reflection.id)

    async def _keep(self, reflection: Reflection) -> Reflection:
        # The index first: so whatever is in the database is found, though the process be killed between the two.
        await self._index.add([reflection])
        if await self._reflections.add([reflection]):
            return reflection
        (kept,) = await self._reflections.get([reflection.id])
        if kept != reflection:
            await self._index.add([kept])
        return kept

    async def get(self, id: str) -> Reflection | None:
        """The reflection of that id, if there is one."""
        return next(iter(await self._reflections.get([id])), None)

    async def search(
        self, text: str, *, tags: Sequence[str] = (), since: float | None = None, limit: int = 5
    ) -> list[Remembered]:
        """What is nearest to a text, the nearest first: of those that have all the tags, and are no older."""
        asked = limit
        while True:
            matches = await self._index.search(text, tags=tags, since=since, limit=asked)
            kept = {each.id: each for each in await self._reflections.get([match.id for match in matches])}
            found = [Remembered(kept[match.id], match.score) for match in matches if match.id in kept]
            if len(found) >= limit or len(matches) < asked:
                return found[:limit]
            asked *= 2  # some were indexed and never kept, as their process was killed

    async def latest(self, limit: int = 10) -> list[Reflection]:
        """The youngest, the youngest first."""
        return await self._reflections.latest(limit)

    async def count(self) -> int:
        """How many there are."""
        return await self._reflections.count()

    async def move(
        self, configs: Mapping[str, Mapping[str, Any]], *, on_copied: Callable[[str, int], None] = lambda *_: None
    ) -> list[str]:
        """Go over to other adapters, while it is used; returns the instances that were moved.

        `configs` has the new config of one or both of the instances, as under their names in oneiric.yaml, which is changed in
        the same moment as the adapter: so who is killed, at any time, starts again with one that has everything. Do it again
        then: what is there already is not copied twice, and what was moved is not moved again. The old data stay where they
        are. `on_copied` is told of each instance how many reflections were copied. Raises MoveFailed, and what the config and
        the adapters raise; what was not moved then goes on as it was.
        """
        async with self._moving:
            moves = [
                Move(self.adapters, name, kind, self._configs[name], configs[name])
                for name, kind in zip(self.names, (Reflections, Index), strict=True)
                if name in configs
            ]
            for move in moves:
                move.check()
            needed = [move for move in moves if move.is_needed]
            for move in needed:
                await self._move(move, on_copied)
            return [move.name for move in needed]

    async def _move(self, move: Move, on_copied: Callable[[str, int], None]) -> None:
        async with self._gate.closed():  # who writes already would not be noted
            written = self._written = set[str]()

        def note() -> None:
            self._configs[move.name] = move.after

        try:
            await move.run(self._reflections, self._gate, written, note, lambda copied: on_copied(move.name, copied))
        finally:
            self._written = None
