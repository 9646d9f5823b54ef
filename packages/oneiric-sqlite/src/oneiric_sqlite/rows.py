"""Rows of values on their way into `executemany`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric_sqlite.errors import CallersOwn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oneiric_sqlite.job import Job


class Rows:
    """An iterable's rows, taken in the connection's thread while they are written, so that they need not fit into memory.

    Ends early where nobody waits for the job any more. What the iterable itself raises is the caller's own, and not an
    error of the database.
    """

    def __init__(self, rows: Iterable[Sequence[Any]], job: Job) -> None:
        self._rows = iter(rows)
        self._job = job

    def __iter__(self) -> Iterator[Sequence[Any]]:
        try:
            for row in self._rows:
                if self._job.is_abandoned:
                    raise InterruptedError
                yield row
        except GeneratorExit:
            raise
        except BaseException as error:
            raise CallersOwn(error) from error


def given(rows: Iterable[Sequence[Any]], job: Job) -> Iterable[Sequence[Any]]:
    """The rows for a job; a list or tuple goes to the driver as it is, which is fastest."""
    return rows if isinstance(rows, list | tuple) else Rows(rows, job)
