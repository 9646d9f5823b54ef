"""Records on their way in: checked, all of them, in a thread; then sent in batches."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from oneiric.adapters.vector import Distance
from oneiric.adapters.vector.records import checked_records
from oneiric.errors import OneiricError

from oneiric_qdrant.errors import translated
from oneiric_qdrant.points import point_of
from oneiric_qdrant.scaling import scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oneiric.adapters.vector import Collection, Record

    from oneiric_qdrant.engine import Engine
    from oneiric_qdrant.points import Point

_FEW = 32
"""So many records are checked at once, without a thread; that takes less than a millisecond or two."""
_NUMBERS = 100_000
"""Of all vectors of one request: to write these down takes some ten milliseconds, in which the event loop stands still."""


class CallersOwn(Exception):
    """An iterable of records that the caller gave has raised: `original`, which goes back to the caller as it is."""

    def __init__(self, original: BaseException) -> None:
        super().__init__()
        self.original = original


async def checked_points(about: Collection, records: Iterable[Record], adapter: str | None) -> list[Point]:
    """The points of the records. Raises InvalidRecord for the first that is wrong, and CallersOwn."""
    if isinstance(records, list | tuple) and len(records) <= _FEW:
        return _points(about, records, adapter)
    is_over = threading.Event()
    try:
        return await asyncio.to_thread(_points, about, _given(records, is_over), adapter)
    finally:
        is_over.set()  # where it is cancelled, the thread takes no more from the caller


async def uploaded(engine: Engine, about: Collection, points: Sequence[Point], size: int, timeout: int) -> None:
    """Store the points in batches of that size at most.

    Each batch is stored wholly or not at all. Where one fails, some of the others may be stored: the error says so.
    """
    size = fitting(size, about.dimension)
    batches = iter([points[start : start + size] for start in range(0, len(points), size)])
    stored = count()

    async def send() -> None:
        for batch in batches:
            await engine.run(lambda store, batch=batch: store.upsert(about.name, batch, timeout))  # type: ignore[misc]
            next(stored)

    try:
        if engine.uploads == 1 or len(points) <= size:
            await send()
        else:
            await _side_by_side(send, engine.uploads)
    except Exception as error:  # noqa: BLE001 - it is raised again
        ours = translated(error, None)
        if isinstance(ours, OneiricError) and len(points) > size:
            ours.hint = f"{ours.hint or ''} Some of the records may be stored: upsert them all again.".strip()
        raise ours from (None if ours is error else error)


def fitting(size: int, dimension: int) -> int:
    """How many vectors of that dimension go into one request, of as many as are wanted."""
    return max(1, min(size, _NUMBERS // dimension))


async def _side_by_side(send: Any, tasks: int) -> None:
    """Run so many at once; the first error ends all of them."""
    running = [asyncio.ensure_future(send()) for _ in range(tasks)]
    try:
        await asyncio.gather(*running)
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _points(about: Collection, records: Iterable[Record], adapter: str | None) -> list[Point]:
    checked = checked_records(about, records, adapter).values()
    vectors: list[Any] = [record.vector for record in checked]
    if about.distance is Distance.COSINE:
        vectors = scaled(vectors)
    return [point_of(record, vector) for record, vector in zip(checked, vectors, strict=True)]


def _given(records: Iterable[Record], is_over: threading.Event) -> Iterator[Record]:
    """The caller's records, until nobody wants them any more; what they raise is marked as the caller's."""
    try:
        following = partial(next, iter(records))
        while not is_over.is_set():
            yield following()
    except StopIteration:
        return
    except GeneratorExit:
        raise
    except BaseException as error:
        raise CallersOwn(error) from error
