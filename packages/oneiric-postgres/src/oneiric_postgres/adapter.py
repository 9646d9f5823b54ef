"""The adapter."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import asyncpg
import stamina
from oneiric.adapters.database import DatabaseAdapter
from oneiric.errors import OneiricError, QueryError, TransactionClosed, Unsupported

from oneiric_postgres.calls import NOTIFY, Calls
from oneiric_postgres.connecting import set_codecs
from oneiric_postgres.deadline import Deadline
from oneiric_postgres.errors import Late, is_outdated, translated, unreachable
from oneiric_postgres.listening import Listener, check
from oneiric_postgres.migrations import Migration, apply_next, read
from oneiric_postgres.server_adapter import ServerAdapter
from oneiric_postgres.settings import PostgresSettings
from oneiric_postgres.statement import Rules, Statement, statement
from oneiric_postgres.transaction import Isolation, PostgresTransaction, begin
from oneiric_postgres.verdicts import LIFETIME, is_clean

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
    from os import PathLike

    from oneiric.adapters.database import Row

    from oneiric_postgres.bulk import Target
    from oneiric_postgres.pool import Pool
    from oneiric_postgres.session import Session

T = TypeVar("T")

_FIRST_WAIT = 0.01
_LONGEST_WAIT = 1.0
"""Seconds between two attempts at a transaction."""
_STATEMENTS = 1000
"""How many statements are remembered."""
_FOR_EVER = float("inf")


class PostgresAdapter(ServerAdapter, Calls, DatabaseAdapter):
    """A PostgreSQL database."""

    settings_class: ClassVar[type[PostgresSettings]] = PostgresSettings
    settings: PostgresSettings

    _raw: asyncpg.Pool | None = None
    _given: dict[str, Any] | None = None

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._statements: dict[Any, Statement] = {}
        self._listeners: set[Listener] = set()
        self._rules = Rules(read_only=self.settings.read_only, pgbouncer=self.settings.pgbouncer)
        self._begin = "BEGIN READ ONLY" if self.settings.read_only else "BEGIN"
        # Behind PgBouncer nobody can say what a server's session was set to, so each call says it.
        self._is_wrapped = self.settings.read_only and self.settings.pgbouncer
        self._is_judged = self.settings.reset == "dirty" and not self.settings.pgbouncer

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Row]:
        """The rows of a query one by one, from a cursor on a connection of its own, as of the moment of the first.

        Close it (`contextlib.aclosing`) where you may leave it before its end. Of a statement that isn't a query all rows
        are read first.
        """
        self._ready()
        self._check_batch(batch_size)
        known = self._known(sql)
        if not known.is_read:
            for row in await self.fetch_all(sql, *values, timeout=timeout):
                yield row
            return
        begun = self._transaction(self._begin, self.settings.timeout if timeout is None else timeout)
        async with (
            begun as transaction,
            aclosing(transaction.stream(sql, *values, batch_size=batch_size, timeout=timeout)) as rows,
        ):
            async for row in rows:
                yield row

    @asynccontextmanager
    async def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        read_only: bool | None = None,
        deferrable: bool = False,
    ) -> AsyncIterator[PostgresTransaction]:
        """`async with db.transaction() as tx:` commits at the end, rolls back where an exception leaves the block.

        `isolation` is `read committed`, `repeatable read` or `serializable`; without it, and without `read_only`, what the
        server is set to. `deferrable` waits for a moment in which a serializable read can't fail.
        """
        self._ready()
        sql = begin(isolation, read_only=self.settings.read_only or read_only, deferrable=deferrable)
        async with self._transaction(sql, self.settings.timeout) as transaction:
            yield transaction

    async def run_transaction(
        self,
        work: Callable[[PostgresTransaction], Awaitable[T]],
        *,
        isolation: Isolation = "serializable",
        read_only: bool | None = None,
        retries: int = 10,
        timeout: float | None = None,
    ) -> T:
        """What `await work(tx)` gives, in a transaction that is run again where the server can't keep it apart from others.

        `work` is called anew for each attempt, so what else it does is done again too. A serialization failure or a deadlock
        is tried again `retries` times, with pauses that grow and vary, within `timeout` seconds.
        """
        seconds = self.settings.timeout if timeout is None else timeout
        attempts = stamina.retry_context(
            on=_is_worth_another,
            attempts=retries + 1,
            timeout=seconds,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_FIRST_WAIT,
        ).with_name(f"a transaction on {self.name or 'postgres'}", (), {})
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                async for attempt in attempts:
                    with attempt:
                        async with self.transaction(isolation=isolation, read_only=read_only) as transaction:
                            return await work(transaction)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise translated(Late("The transaction was not committed by its deadline."), self.name) from error
        raise AssertionError("An attempt returns or raises.")

    def listen(self, *channels: str, queued: int = 1000, probe: float = 10.0) -> Listener:
        """Notifications of these channels, on a connection of its own: `async with db.listen("jobs") as events:`.

        `async for event in events` gives each Notification, and a Gap where some may have been lost: the connection broke and
        was replaced, or more than `queued` waited to be taken. Where nothing comes, the connection is asked every `probe`
        seconds whether it is still there, and has as many to answer.
        """
        self._ready()
        if self.settings.pgbouncer:
            raise Unsupported(
                "LISTEN needs a session of its own, which there is none behind PgBouncer.",
                adapter=self.name,
                hint="Use an instance that connects past it.",
            )
        listener = Listener(
            self._connect_apart,
            check(channels, self.name),
            most=queued,
            probe=probe,
            adapter=self.name,
            closed=self._listeners.discard,
        )
        self._listeners.add(listener)
        return listener

    async def migrate(self, folder: str | PathLike[str], *, timeout: float | None = None) -> list[Migration]:
        """Apply the files `0001_name.sql`, … of a folder that are not applied yet, each in a transaction; returns these.

        Several processes may do so at once: one applies, and the others wait. Raises MigrationError before anything is applied
        where a file that was applied has changed or is gone, or a new one comes before it; a file that fails leaves nothing
        of itself, and those before it stay.
        """
        self._ready()
        try:
            files = await asyncio.to_thread(read, folder)
        except OneiricError as error:
            error.adapter = self.name
            raise
        applied: list[Migration] = []
        async with self._translating(""), self._session(timeout) as (session, deadline):
            while True:
                async with self._whole(session, deadline):
                    migration = await apply_next(session.connection, files, self.name, deadline)
                self._forget_verdicts()
                if migration is None:
                    return applied
                applied.append(migration)

    @property
    def raw(self) -> asyncpg.Pool:
        """An `asyncpg.Pool` on the same server, for what the contract doesn't cover; its connections are its own."""
        self._ready()
        return self._raw

    async def _opened(self, _pool: Pool, given: dict[str, Any], /) -> None:
        # Our own connections are not handed out: nobody could tell afterwards what was done to them.
        self._given = given
        self._raw = await asyncpg.create_pool(
            **given, min_size=0, max_size=self.settings.pool_max_size, init=set_codecs
        )

    async def _connect_apart(self) -> asyncpg.Connection:
        """A connection that is not the pool's."""
        if self._given is None:
            raise self.not_initialized()
        return await self._connect(self._given)

    async def _closing(self) -> None:
        await asyncio.gather(*(listener.end() for listener in list(self._listeners)))
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.terminate()

    @property
    def _label(self) -> str | None:
        return self.name

    def _known(self, sql: object) -> Statement:
        try:
            known = self._statements[sql]
        except (KeyError, TypeError):
            known = self._first_seen(sql)
        if known.refusal is not None:
            known.check(self.name)
        return known

    def _first_seen(self, sql: object) -> Statement:
        known = statement(sql, self._rules)
        if not self._is_judged:
            known.clean_until = _FOR_EVER
        if isinstance(sql, str):
            if len(self._statements) >= _STATEMENTS:
                del self._statements[next(iter(self._statements))]
            self._statements[sql] = known
            if sql == NOTIFY:
                known.clean_until = _FOR_EVER
        return known

    @asynccontextmanager
    async def _transaction(self, sql: str, timeout: float) -> AsyncIterator[PostgresTransaction]:
        pool = self._ready()
        session = await self._borrow(pool, timeout)
        transaction = PostgresTransaction(session, self._known, timeout, self.name)
        try:
            await transaction.begin(sql)
            try:
                yield transaction
            except Exception:
                await transaction.roll_back()
                raise
            await transaction.commit()
        finally:  # what a cancellation has left open is rolled back by the pool
            transaction.end()
            if session.has_ddl:
                session.has_ddl = False
                self._forget_verdicts()
            pool.release(session)

    async def _run(
        self, sql: str, values: tuple[Any, ...], limit: int, timeout: float | None, *, with_status: bool = False
    ) -> Any:
        # The way of every point query: each layer is felt here, so it is one function, and a session that lies idle is
        # taken without an await. `Connection._execute` is what fetch(), fetchrow() and execute() all call.
        pool = self._ready()
        known = self._known(sql)
        seconds = self.settings.timeout if timeout is None else timeout
        if seconds <= 0:
            raise translated(Late("The call's timeout is not above 0."), self.name)
        if self._is_wrapped:
            async with self._transaction(self._begin, seconds) as transaction:
                return await transaction._run(sql, values, limit, seconds, with_status=with_status)  # noqa: SLF001
        session = pool.take()
        if session is None:
            before = pool.loop.time()
            session = await self._borrow(pool, seconds)
            seconds = max(seconds - (pool.loop.time() - before), 0.001)
        try:
            if known.clean_until < pool.loop.time():
                await self._judge(session, known, seconds)
            return await session.connection._execute(  # noqa: SLF001
                sql, values, limit, seconds, return_status=with_status
            )
        except Exception as error:
            if is_outdated(error):
                session.forget_schema()
            ours = translated(error, self.name, sql)
            if ours is error:
                raise
            raise ours from error
        finally:
            pool.release(session)

    def _target(self, table: object, columns: Sequence[str]) -> Target:
        if self.settings.read_only:
            raise QueryError("Rows are not written: the adapter is `read_only`.", adapter=self.name)
        return super()._target(table, columns)

    async def _judge(self, session: Session, known: Statement, timeout: float) -> None:
        """Note whether the statement dirties the session; of one that comes again, the server is asked."""
        now = asyncio.get_running_loop().time()
        known.uses += 1
        if known.is_ddl:
            self._forget_verdicts()
        if known.uses > 1 and known.ask_from <= now:
            known.ask_from = now + LIFETIME
            if await is_clean(session.connection, known, timeout):
                known.clean_until = now + LIFETIME
                return
        session.is_dirty = True

    def _forget_verdicts(self) -> None:
        """What is created now may be what a query calls next."""
        for known in self._statements.values():
            if known.ask_from < _FOR_EVER:
                known.clean_until = known.ask_from = 0.0

    @asynccontextmanager
    async def _session(self, timeout: float | None) -> AsyncIterator[tuple[Session, Deadline]]:
        pool = self._ready()
        deadline = Deadline(self.settings.timeout if timeout is None else timeout)
        session = await self._borrow(pool, deadline.left())
        session.is_dirty = self._is_judged
        try:
            yield session, deadline
        finally:
            pool.release(session)

    @asynccontextmanager
    async def _whole(self, session: Session, deadline: Deadline, /) -> AsyncIterator[None]:
        await session.connection.execute(self._begin, timeout=deadline.left())
        yield  # where an error leaves the block, the pool rolls back
        await session.connection.execute("COMMIT", timeout=deadline.left())

    async def _borrow(self, pool: Pool, within: float) -> Session:
        session = pool.take()
        if session is not None:
            return session
        try:
            return await pool.acquire(min(within, self.settings.acquire_timeout))
        except Exception as error:
            ours = unreachable(error, self.name)
            if ours is error:
                raise
            raise ours from error


def _is_worth_another(error: Exception) -> bool:
    """Whether the transaction may go through if it is run again; one whose commit got no answer is not run twice."""
    return isinstance(error, TransactionClosed) and error.transient
