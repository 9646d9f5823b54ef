"""Rows of values on their way into `executemany`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.errors import QueryError

from oneiric_sqlite.errors import CallersOwn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oneiric_sqlite.job import Job


class Rows:
    """An iterable's rows, taken in the connection's thread while they are written, so that they need not fit into memory.

    Ends early where nobody waits for the job any more. What the iterable itself raises is the caller's own, and not an
    error of the database. Raises QueryError for a string where a row should be.
    """

    def __init__(self, rows: Iterable[Sequence[Any]], job: Job) -> None:
        self._rows = iter(rows)
        self._job = job

    def __iter__(self) -> Iterator[Sequence[Any]]:
        try:
            for row in self._rows:
                if self._job.is_abandoned:
                    raise InterruptedError
                if isinstance(row, str | bytes):
                    break
                yield row
            else:
                return
        except GeneratorExit:
            raise
        except BaseException as error:
            raise CallersOwn(error) from error
        raise _no_row(row)


def given(rows: Iterable[Sequence[Any]], job: Job) -> Iterable[Sequence[Any]]:
    """The rows for a job; a list or tuple goes to the driver as it is, which is fastest.

    Raises QueryError where its first row is a string: who forgets to make rows of values forgets it for all.
    """
    if not isinstance(rows, list | tuple):
        return Rows(rows, job)
    if rows and isinstance(rows[0], str | bytes):
        raise _no_row(rows[0])
    return rows


def _no_row(row: object) -> QueryError:
    return QueryError(
        f"A row is a sequence of values, not {type(row).__name__}.",
        hint="Give a tuple, also for a single value: `(value,)`.",
    )
