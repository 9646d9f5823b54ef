"""A transaction's handle."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, get_args

from oneiric.adapters.cancellation import undisturbed
from oneiric.adapters.database import Transaction
from oneiric.errors import QueryError

from oneiric_postgres.calls import Calls
from oneiric_postgres.deadline import Deadline
from oneiric_postgres.errors import Ended, RolledBack, translated
from oneiric_postgres.streaming import batches

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from oneiric.adapters.database import Row

    from oneiric_postgres.session import Session
    from oneiric_postgres.statement import Statement

Isolation = Literal["read committed", "repeatable read", "serializable"]

_ROLL_BACK_WITHIN = 5.0
"""Seconds that a rollback is given before the connection is closed, which rolls back too."""
_savepoints = count(1)


def begin(isolation: Isolation | None, *, read_only: bool | None, deferrable: bool) -> str:
    """The statement that begins such a transaction. Raises QueryError for what can't be."""
    if isolation not in (None, *get_args(Isolation)):
        raise QueryError(f"The isolation is one of {', '.join(get_args(Isolation))}.")
    if deferrable and not (isolation == "serializable" and read_only):
        raise QueryError("A deferrable transaction is `serializable` and `read_only`.")
    modes = [f"ISOLATION LEVEL {isolation.upper()}"] if isolation else []
    if read_only is not None:
        modes.append("READ ONLY" if read_only else "READ WRITE")
    return " ".join(["BEGIN", ", ".join(modes + (["DEFERRABLE"] if deferrable else []))]).strip()


class PostgresTransaction(Calls, Transaction):
    """A transaction on one session, or one inside it. Its calls are done one after the other, whoever makes them."""

    def __init__(
        self,
        session: Session,
        known: Callable[[object], Statement],
        timeout: float,
        name: str | None,
        lock: asyncio.Lock | None = None,
    ) -> None:
        self._of = session
        self._known_of = known
        self._timeout = timeout
        self._name = name
        self._lock = lock or asyncio.Lock()
        self._is_over = False
        self._inner: PostgresTransaction | None = None

    @property
    def raw(self) -> Any:
        """The transaction's own `asyncpg.Connection`, for what the contract doesn't cover; its session is reset afterwards."""
        if self._is_over:
            raise translated(Ended(), self._name)
        self._of.is_dirty = True
        return self._of.connection

    def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Row]:
        """The rows of a query one by one, from a cursor: later changes here don't mix in."""
        self._check_batch(batch_size)
        return self._stream(sql, values, batch_size, timeout)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """A transaction inside this one: rolled back alone where an exception leaves the block."""
        if self._inner is not None:
            raise QueryError(
                "This transaction has an open one inside it already.",
                adapter=self._name,
                hint="Use the inner handle, or end it first.",
            )
        name = f"oneiric_{next(_savepoints)}"
        inner = PostgresTransaction(self._of, self._known_of, self._timeout, self._name, self._lock)
        self._inner = inner
        try:
            await self._do(f"SAVEPOINT {name}")
            yield inner
        except BaseException:
            inner._is_over = True
            if not self._is_over:
                await self._undo(f"ROLLBACK TO {name}; RELEASE {name}")
            raise
        else:
            inner._is_over = True
            await self._do(f"RELEASE {name}")
        finally:
            self._inner = None

    async def begin(self, sql: str) -> None:
        """Begin it. It is the adapter's to call."""
        await self._do(sql)

    async def commit(self) -> None:
        """End it for good: what it did is stored. It is the adapter's to call."""
        if await self._do("COMMIT", is_last=True) != "COMMIT":
            raise translated(RolledBack(), self._name)

    async def roll_back(self) -> None:
        """End it: nothing of it is stored. Never raises; where it can't be done, the pool closes the connection."""
        self._is_over = True
        if self._of.is_busy or self._of.is_settled:
            return  # an interrupted statement is not waited for: the pool does that; or the server has ended it already
        await self._undo("ROLLBACK")

    def end(self) -> None:
        """Let nobody use the handle any more; what is left open is the pool's to mend."""
        self._is_over = True

    @property
    def _label(self) -> str | None:
        return self._name

    def _known(self, sql: object) -> Statement:
        if self._is_over:
            raise translated(Ended(), self._name)
        return self._known_of(sql)

    async def _run(
        self, sql: str, values: tuple[Any, ...], limit: int, timeout: float | None, *, with_status: bool = False
    ) -> Any:
        known = self._known(sql)
        async with self._translating(sql), self._session(timeout, known) as (session, deadline):
            return await session.connection._execute(  # noqa: SLF001 - what fetch() and execute() call, with both results
                sql, values, limit, deadline.left(), return_status=with_status
            )

    @asynccontextmanager
    async def _session(
        self, timeout: float | None, known: Statement | None = None
    ) -> AsyncIterator[tuple[Session, Deadline]]:
        deadline = Deadline(self._timeout if timeout is None else timeout)
        if self._lock.locked():
            async with asyncio.timeout(deadline.left()):
                await self._lock.acquire()
        else:
            await self._lock.acquire()  # at once, and without the cost of a timeout
        try:
            if self._is_over:
                raise Ended
            # Nobody is asked here: the session may be dirty already, and the transaction have failed.
            if known is None or known.clean_until < asyncio.get_running_loop().time():
                self._of.is_dirty = True
                self._of.has_ddl = self._of.has_ddl or (known is not None and known.is_ddl)
            yield self._of, deadline
        finally:
            self._lock.release()

    @asynccontextmanager
    async def _whole(self, _session: Session, _deadline: Deadline, /) -> AsyncIterator[None]:
        """Nothing to do: an error ends the whole transaction, unless a nested one is around it."""
        yield

    async def _stream(
        self, sql: str, values: tuple[Any, ...], batch_size: int, timeout: float | None
    ) -> AsyncGenerator[Row]:
        known = self._known(sql)
        seconds = self._timeout if timeout is None else timeout
        found = batches(sql, values, batch_size, lambda: self._session(seconds, known))
        while True:
            async with self._translating(sql):
                rows = await anext(found, None)
            if rows is None:
                return
            for row in rows:
                yield row

    async def _do(self, sql: str, *, is_last: bool = False) -> str:
        """Run a statement of our own; its tag. Nothing follows the last one."""
        async with self._translating(sql), self._session(None, _OWN) as (session, deadline):
            if is_last:
                self._is_over = True
            return await session.connection.execute(sql, timeout=deadline.left())  # type: ignore[no-any-return]

    async def _undo(self, sql: str) -> None:
        """Undo, whatever the caller's task is told meanwhile; a connection that doesn't obey is closed."""

        async def undo() -> None:
            try:
                async with asyncio.timeout(_ROLL_BACK_WITHIN), self._lock:
                    await self._of.connection.execute(sql)
            except Exception:  # noqa: BLE001 - what failed before is what the caller has to know
                self._of.connection.terminate()

        with suppress(asyncio.CancelledError):  # what made us undo goes on, and it is that, or says more
            await undisturbed(undo())


class _Own:
    """Stands for a statement of our own, which changes nothing of the session."""

    clean_until = float("inf")


_OWN: Any = _Own()
