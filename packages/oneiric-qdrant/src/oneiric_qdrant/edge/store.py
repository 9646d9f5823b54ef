"""The store that asks the process of Qdrant Edge; its calls block, so it is used in a thread of its own."""
# ruff: noqa: ARG002 - `timeout` is what a server would be told

from __future__ import annotations

import os
import socket
import subprocess
import sys
from array import array
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from oneiric.adapters.vector import Collection, Distance
from oneiric.errors import AdapterUnavailable, ConnectionFailed

from oneiric_qdrant.conditions import Dialect, translated
from oneiric_qdrant.edge.frames import receive, send
from oneiric_qdrant.errors import EngineFailed
from oneiric_qdrant.folder import EDGE, Folder
from oneiric_qdrant.points import BOOLEANS, Found, boolean_of, kept, path_of, with_booleans
from oneiric_qdrant.store import Store, check_same, not_found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oneiric.adapters.vector import Filter
    from oneiric.adapters.vector.filters import Range

    from oneiric_qdrant.points import Point

_ENDS_WITHIN = 30.0
"""Seconds in which the process has to close its files, before it is killed: what it wrote is in its log by then."""


class EdgeStore(Store):
    """Qdrant Edge on a folder. Where its process dies, the next call starts another."""

    def __init__(self, folder: Folder, *, exact: bool) -> None:
        self.raw = self
        self._exact = exact
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._known: dict[str, Collection] = {}

    @classmethod
    def opened(cls, path: str, *, exact: bool) -> EdgeStore:
        """Lock the folder and start the process. Raises AdapterUnavailable where Qdrant Edge isn't installed."""
        if find_spec("qdrant_edge") is None:
            raise AdapterUnavailable(
                "`engine: edge` needs Qdrant Edge, which isn't installed.", hint='pip install "oneiric-qdrant[edge]"'
            )
        folder = Folder(path, EDGE)
        folder.take()
        store = cls(folder, exact=exact)
        try:
            store._start()
        except BaseException:
            store._end()
            folder.release()
            raise
        return store

    async def ask(self) -> None:
        """Ask the process, and see that the folder is there still."""
        self._folder.check()
        self._call("ask")

    async def close(self) -> None:
        """End the process, which closes its files, and let go of the folder."""
        self._end()
        self._folder.release()

    def abandon(self) -> None:
        """Kill the process, so that the call which hangs ends."""
        if self._process is not None:
            self._process.kill()

    async def collections(self) -> list[Collection]:
        """All of them."""
        return [self._known[name] for name in sorted(self._known)]

    async def collection(self, name: str) -> Collection:
        """One of them; nobody else changes what there is."""
        if name not in self._known:
            raise not_found(name)
        return self._known[name]

    async def create(self, new: Collection, indexes: Mapping[str, str], timeout: int) -> None:
        """Make it. A boolean is indexed as the text that stands for it."""
        if new.name in self._known:
            check_same(new, self._known[new.name])
            return
        paths = {path_of(field): kind for field, kind in indexes.items() if kind != "bool"}
        if "bool" in indexes.values():
            paths[_path_of_booleans()] = "keyword"
        self._call("create", new.name, new.dimension, str(new.distance), list(paths.items()))
        self._known[new.name] = new

    async def drop(self, name: str, timeout: int) -> None:
        """Drop it."""
        if self._known.pop(name, None) is not None:
            self._call("drop", name)

    async def build_indexes(self, name: str) -> None:
        """Have Edge do it; its process does nothing else meanwhile."""
        self._call("optimize", name)

    async def upsert(self, collection: str, points: Sequence[Point], timeout: int) -> None:
        """Store them in one operation."""
        marked = [with_booleans(point) for point in points]
        vectors = b"".join(array("f", point.vector).tobytes() for point in marked)
        ids, payloads = [point.id for point in marked], [point.payload for point in marked]
        self._call("upsert", collection, ids, vectors, payloads)

    async def search(
        self,
        collection: Collection,
        vectors: Sequence[Sequence[float]],
        limit: int,
        condition: Filter | None,
        with_vectors: bool,
        timeout: int,
    ) -> list[list[Found]]:
        """One batch. It is exact too where Edge has no HNSW index yet."""
        wanted = [list(vector) for vector in vectors]
        answers = self._call("search", collection.name, wanted, limit, _form(condition), with_vectors, self._exact)
        sign = -1.0 if collection.distance is Distance.EUCLIDEAN else 1.0  # theirs is the distance
        return [
            [Found(id_, payload, vector, sign * score) for id_, payload, vector, score in answer] for answer in answers
        ]

    async def get(self, collection: str, ids: Sequence[str], timeout: int) -> list[Found]:
        """The points of these ids."""
        return [Found(*each) for each in self._call("get", collection, list(ids))]

    async def delete(self, collection: str, ids: Sequence[str], timeout: int) -> None:
        """In one operation."""
        self._call("delete", collection, list(ids))

    async def delete_by(self, collection: str, condition: Filter, timeout: int) -> None:
        """In one operation."""
        self._call("delete_by", collection, _form(condition))

    async def count(self, collection: str, condition: Filter | None, timeout: int) -> int:
        """Exactly."""
        return int(self._call("count", collection, _form(condition)))

    async def page(
        self, collection: str, condition: Filter | None, size: int, start: str | int | None, timeout: int
    ) -> tuple[list[Found], str | int | None]:
        """By id."""
        records, following = self._call("page", collection, _form(condition), size, start)
        return [Found(*each) for each in records], following

    def _call(self, name: str, *arguments: Any) -> Any:
        """What the process answers. Where it has died, one that is asked for the first time is started."""
        if self._connection is None:
            self._start()
        return self._exchange((name, arguments))

    def _exchange(self, message: Any) -> Any:
        assert self._connection is not None
        try:
            send(self._connection, message)
            is_well, *answer = receive(self._connection)
        except (EOFError, OSError) as error:
            self._end()
            raise ConnectionFailed(
                "The process of Qdrant Edge has ended.",
                hint="The next call starts another; the system's log may say why.",
            ) from error
        if is_well:
            return answer[0]
        kind, words = answer
        raise EngineFailed(f"{kind}: {words}")

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._connection = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "oneiric_qdrant.edge.process"],
                stdin=theirs.fileno(),
                pass_fds=(self._folder.descriptor,),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        self._exchange(str(self._folder.path))
        self._known = {
            name: Collection(name, dimension, Distance(distance))
            for name, dimension, distance in self._exchange(("collections", ()))
        }

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        process, self._process = self._process, None
        if connection is not None:
            connection.close()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_ENDS_WITHIN)
            process.kill()
            process.wait()


def _path_of_booleans() -> str:
    return f'"{BOOLEANS}"'


def _form(condition: Filter | None) -> Any:
    return None if condition is None else translated(condition, EdgeDialect())


class EdgeDialect(Dialect[tuple[Any, ...]]):
    """Filters as plain tuples, which the process turns into Qdrant Edge's."""

    def texts(self, field: str, texts: Sequence[str]) -> tuple[Any, ...]:
        """By keyword."""
        return "texts", path_of(field), list(texts)

    def boolean(self, field: str, value: bool) -> tuple[Any, ...]:
        """By the text that stands for it: Edge 0.9 takes `MatchValue(True)` for `MatchValue(1)`."""
        return "texts", _path_of_booleans(), [boolean_of(kept(field), value)]

    def within(self, field: str, bounds: Range) -> tuple[Any, ...]:
        """By range."""
        return "range", path_of(field), bounds.gt, bounds.gte, bounds.lt, bounds.lte

    def null(self, field: str) -> tuple[Any, ...]:
        """By its own condition."""
        return "null", path_of(field)

    def empty(self, field: str) -> tuple[Any, ...]:
        """By its own condition."""
        return "empty", path_of(field)

    def nothing(self) -> tuple[Any, ...]:
        """By no id."""
        return ("nothing",)

    def all_of(self, conditions: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Nested."""
        return "all", list(conditions)

    def any_of(self, conditions: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Nested."""
        return "any", list(conditions)

    def not_(self, condition: tuple[Any, ...]) -> tuple[Any, ...]:
        """Nested."""
        return "not", condition
