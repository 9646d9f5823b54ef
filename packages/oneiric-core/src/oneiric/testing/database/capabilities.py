"""Declared capabilities are proved; undeclared ones are refused with Unsupported."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.database.base import CONCURRENT_READS, DURABLE, RETURNING, SAVEPOINTS
from oneiric.errors import Unsupported
from oneiric.testing.child import kill_after
from oneiric.testing.database.things import COUNT, INSERT, SOON, DatabaseTests, fill, ids
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Set

    from oneiric.adapters.database.base import DatabaseAdapter
    from oneiric.spec import AdapterSpec

WRITE_AND_STAY = """
await adapter.execute("CREATE TABLE kept (id {integer_type})")
await adapter.execute("INSERT INTO kept (id) VALUES ($1)", 1)
await adapter.insert_many("kept", ["id"], [(2,), (3,)])
async with adapter.transaction() as tx:
    await tx.execute("INSERT INTO kept (id) VALUES ($1)", 4)
unfinished = adapter.transaction()
tx = await unfinished.__aenter__()
await tx.execute("INSERT INTO kept (id) VALUES ($1)", 5)
"""


class DatabaseCapabilityTests(DatabaseTests):
    """`SAVEPOINTS`, `RETURNING`, `CONCURRENT_READS`, `DURABLE`."""

    @pytest.mark.parametrize("method", ["fetch_all", "fetch_one", "fetch_value", "stream"])
    async def test_returning_gives_rows_or_is_unsupported(
        self, db: DatabaseAdapter, capabilities: Set[str], method: str
    ) -> None:
        """From an INSERT of two rows; both are inserted, though `fetch_one` gives one."""
        insert = "INSERT INTO things (id, s) VALUES ($1, 'a'), ($2, 'b') RETURNING id, s"
        if RETURNING not in capabilities:
            with expect(Unsupported, f"INSERT … RETURNING where {RETURNING!r} is not declared"):
                await all_of(db, method, insert, 1, 2)
            assert await db.fetch_value(COUNT) == 0, "what is unsupported is refused before anything is done"
            return
        expected: dict[str, Any] = {"fetch_one": [(1, "a")], "fetch_value": [1]}
        assert await all_of(db, method, insert, 1, 2) == expected.get(method, [(1, "a"), (2, "b")]), (
            f"{method}() of INSERT … RETURNING gives its rows"
        )
        assert await ids(db) == [1, 2], f"{method}() of INSERT … RETURNING inserts every row, and commits"

    async def test_returning_from_update_and_delete(self, db: DatabaseAdapter, capabilities: Set[str]) -> None:
        """And from what changes no row, none."""
        if RETURNING not in capabilities:
            skip(f"the adapter doesn't declare {RETURNING!r}")
        await fill(db, 3)
        changed = await db.fetch_all("UPDATE things SET n = $1 WHERE id = $2 RETURNING id, n", 50, 1)
        assert [tuple(row) for row in changed] == [(1, 50)], "UPDATE … RETURNING gives the rows as they are now"
        assert await db.fetch_all("DELETE FROM things WHERE id = $1 RETURNING id", 77) == [], "none changed, none given"
        assert await db.fetch_value("DELETE FROM things WHERE id = $1 RETURNING s", 2) == "s2", "DELETE … RETURNING"
        assert await ids(db) == [0, 1], "and the row is deleted"

    async def test_execute_counts_the_rows_of_returning(self, db: DatabaseAdapter, capabilities: Set[str]) -> None:
        """As it does without it."""
        if RETURNING not in capabilities:
            skip(f"the adapter doesn't declare {RETURNING!r}")
        assert await db.execute("INSERT INTO things (id) VALUES (1), (2) RETURNING id") == 2, (
            "execute() of INSERT … RETURNING returns how many rows it inserted"
        )
        assert await ids(db) == [1, 2], "and inserts them"

    async def test_savepoints_are_unsupported_where_they_are_not_declared(
        self, db: DatabaseAdapter, capabilities: Set[str]
    ) -> None:
        """The outer transaction goes on."""
        if SAVEPOINTS in capabilities:
            skip(f"the adapter declares {SAVEPOINTS!r}")
        async with db.transaction() as tx:
            with expect(Unsupported, f"a nested transaction where {SAVEPOINTS!r} is not declared"):
                await tx.transaction().__aenter__()
            await tx.execute(INSERT, 1, 1, "a")
        assert await ids(db) == [1], "what is unsupported is refused before anything is done"

    async def test_reads_go_on_beside_a_transaction(self, db: DatabaseAdapter, capabilities: Set[str]) -> None:
        """And don't see what it has not committed."""
        if CONCURRENT_READS not in capabilities:
            skip(f"the adapter doesn't declare {CONCURRENT_READS!r}")
        await db.execute(INSERT, 1, 1, "before")
        async with asyncio.timeout(SOON):
            async with db.transaction() as tx:
                await tx.execute(INSERT, 2, 2, "uncommitted")
                await tx.execute("UPDATE things SET s = $1 WHERE id = $2", "uncommitted", 1)
                counts = await asyncio.gather(*(db.fetch_value(COUNT) for _ in range(20)))
                text = await db.fetch_value("SELECT s FROM things WHERE id = $1", 1)
                streamed = [row[0] async for row in db.stream("SELECT id FROM things")]
            assert counts == [1] * 20, "reads go on beside an open transaction, and don't see what it has not committed"
            assert text == "before", "reads beside a transaction don't see what it has not committed"
            assert streamed == [1], "streams beside a transaction don't see what it has not committed"
        assert await db.fetch_value(COUNT) == 2, "what is committed is seen"

    async def test_reads_go_on_beside_each_other(self, db: DatabaseAdapter, capabilities: Set[str]) -> None:
        """A slow one keeps no other waiting for its end."""
        if CONCURRENT_READS not in capabilities:
            skip(f"the adapter doesn't declare {CONCURRENT_READS!r}")
        async with asyncio.timeout(SOON):
            slow = asyncio.create_task(db.fetch_value(self.slow_query))
            await asyncio.wait({slow}, timeout=0.1)
            assert await db.fetch_value("SELECT 7") == 7, "reads go on beside a slow one"
            assert not slow.done(), "which is running still; if it is not, `slow_query` is too quick"
            slow.cancel()
            await asyncio.wait({slow})

    async def test_what_was_written_survives_a_kill(
        self, make: Callable[..., Any], spec: AdapterSpec, config: Mapping[str, Any], capabilities: Set[str]
    ) -> None:
        """A process is killed (SIGKILL) after its writes have returned; another finds them, and no open transaction."""
        if DURABLE not in capabilities:
            skip(f"the adapter doesn't declare {DURABLE!r}")
        await asyncio.to_thread(kill_after, WRITE_AND_STAY.format(integer_type=self.integer_type), spec, config)
        async with make() as adapter:
            rows = await adapter.fetch_all("SELECT id FROM kept ORDER BY id")
        assert [row[0] for row in rows] == [1, 2, 3, 4], (
            f"{DURABLE!r}: what has returned survives the end of the process, and what was not committed does not"
        )


async def all_of(db: DatabaseAdapter, method: str, sql: str, *values: Any) -> list[Any]:
    """What a method gives, as a list of tuples or of one value."""
    if method == "stream":
        return [tuple(row) async for row in db.stream(sql, *values)]
    if method == "fetch_all":
        return [tuple(row) for row in await db.fetch_all(sql, *values)]
    found = await getattr(db, method)(sql, *values)
    return [found if method == "fetch_value" else tuple(found)]
