"""Rows one by one, as of the first."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from oneiric.errors import DeadlineExceeded, QueryError
from oneiric.testing.database.things import COUNT, INSERT, SOON, DatabaseTests, fill
from oneiric.testing.expecting import expect

if TYPE_CHECKING:
    from oneiric.adapters.database.base import DatabaseAdapter

IDS = "SELECT id FROM things ORDER BY id"


class StreamTests(DatabaseTests):
    """`stream`."""

    @pytest.mark.parametrize("batch_size", [1, 7, 500, 501, 10_000])
    async def test_a_stream_gives_every_row_in_order(self, db: DatabaseAdapter, batch_size: int) -> None:
        """Whatever the batches: the last may be full, or not."""
        await fill(db, 501)
        ids = [row["id"] async for row in db.stream(IDS, batch_size=batch_size)]
        assert ids == list(range(501)), "a stream gives every row once, in the query's order"

    async def test_a_stream_of_no_row_ends(self, db: DatabaseAdapter) -> None:
        """At once."""
        assert [row async for row in db.stream(IDS)] == [], "a stream of no row ends without one"

    async def test_a_stream_binds_its_values(self, db: DatabaseAdapter) -> None:
        """As the other methods do."""
        await fill(db, 20)
        rows = [tuple(row) async for row in db.stream("SELECT id, s FROM things WHERE s = $1 OR id = $2", "s3", 3)]
        assert rows == [(3, "s3")], "a stream binds its values"

    async def test_a_stream_is_as_of_its_first_row(self, db: DatabaseAdapter) -> None:
        """What is written meanwhile isn't in it, and what is deleted meanwhile is."""
        await fill(db, 300)
        seen: list[int] = []
        async with asyncio.timeout(SOON), aclosing(db.stream(IDS, batch_size=10)) as rows:
            async for row in rows:
                if not seen:
                    await db.execute("DELETE FROM things WHERE id > $1", 150)
                    await db.execute(INSERT, 1_000, 0, "later")
                seen.append(row[0])
        assert seen == list(range(300)), "a stream shows the rows as they were at the first of them"

    async def test_the_adapter_works_beside_a_stream(self, db: DatabaseAdapter) -> None:
        """A stream that is open keeps nobody out."""
        await fill(db, 100)
        async with asyncio.timeout(SOON):
            async for row in db.stream(IDS, batch_size=10):
                if row[0] % 30 == 0:
                    assert await db.fetch_value("SELECT s FROM things WHERE id = $1", row[0]) == f"s{row[0]}", (
                        "queries go on beside an open stream"
                    )
        assert await db.fetch_value(COUNT) == 100, "and after it"

    async def test_streams_side_by_side_do_not_mix(self, db: DatabaseAdapter) -> None:
        """Each has its own rows."""
        await fill(db, 100)
        below = "SELECT id FROM things WHERE id < $1 ORDER BY id"
        streams = [db.stream(below, number * 25, batch_size=3) for number in (1, 2, 3)]
        found: list[list[int]] = [[], [], []]
        async with asyncio.timeout(SOON):
            for turn in range(80):
                row = await anext(streams[turn % 3], None)
                if row is not None:
                    found[turn % 3].append(row[0])
        for stream in streams:
            await stream.aclose()
        expected = [list(range(25)), list(range(27)), list(range(26))]
        assert found == expected, "each of several open streams gives its own rows"

    async def test_streams_that_are_left_early_hold_nothing(self, db: DatabaseAdapter) -> None:
        """Fifty of them, closed at their first row: no connection or lock is left."""
        await fill(db, 100)
        async with asyncio.timeout(SOON):
            for _ in range(50):
                async with aclosing(db.stream(IDS, batch_size=5)) as rows:
                    await anext(rows)
            assert await db.execute("DELETE FROM things") == 100, "a closed stream holds nothing"

    async def test_a_stream_that_is_abandoned_holds_nothing(self, db: DatabaseAdapter) -> None:
        """Dropped without a word, and collected."""
        await fill(db, 100)
        async with asyncio.timeout(SOON):
            for _ in range(10):
                rows = db.stream(IDS, batch_size=5)
                await anext(rows)
                del rows
                await asyncio.sleep(0)
            gc.collect()
            assert await db.execute("DELETE FROM things") == 100, "an abandoned stream holds nothing"

    async def test_an_exception_in_the_loop_leaves_the_stream(self, db: DatabaseAdapter) -> None:
        """It comes out as it is, and the adapter goes on."""
        await fill(db, 100)
        with pytest.raises(ZeroDivisionError):
            async with aclosing(db.stream(IDS, batch_size=5)) as rows:
                async for row in rows:
                    1 / (20 - row[0])
        assert await db.fetch_value(COUNT) == 100, "the adapter goes on after an exception in a stream's loop"

    async def test_a_stream_that_was_not_begun_has_done_nothing(self, db: DatabaseAdapter) -> None:
        """It can be closed, or dropped."""
        await db.stream("SELECT nonsense FROM nowhere").aclose()
        assert await db.fetch_value(COUNT) == 0, "the adapter goes on"

    async def test_a_wrong_query_fails_at_the_first_row(self, db: DatabaseAdapter) -> None:
        """QueryError, and the adapter goes on."""
        for sql, values in [("SELECT id FROM nowhere", ()), ("SELEKT 1", ()), (IDS, (1,)), (f"{IDS} LIMIT $1", ())]:
            with expect(QueryError, f"the stream of `{sql}` with {len(values)} values"):
                await anext(db.stream(sql, *values))
        assert await db.fetch_value(COUNT) == 0, "the adapter goes on after a stream that failed"

    async def test_a_batch_has_at_least_one_row(self, db: DatabaseAdapter) -> None:
        """QueryError otherwise, not a stream without an end."""
        with expect(QueryError, "a batch_size of 0"):
            await anext(db.stream(IDS, batch_size=0))

    async def test_a_batch_that_takes_too_long_is_interrupted(self, db: DatabaseAdapter) -> None:
        """`timeout` bounds each batch."""
        async with asyncio.timeout(SOON):
            with expect(DeadlineExceeded, "a stream whose first batch takes longer than its timeout"):
                await anext(db.stream(self.slow_query, timeout=0.2))
            assert await db.execute(INSERT, 1, 1, "a") == 1, "the adapter goes on after a stream's deadline"

    async def test_a_stream_on_a_handle_is_inside_its_transaction(self, db: DatabaseAdapter) -> None:
        """It sees what the transaction has written, and what is written meanwhile doesn't mix in."""
        await fill(db, 5)
        seen = []
        async with asyncio.timeout(SOON), db.transaction() as tx:
            await tx.execute(INSERT, 5, 0, "own")
            async with aclosing(tx.stream(IDS, batch_size=2)) as rows:
                async for row in rows:
                    seen.append(row[0])
                    await tx.execute(INSERT, 100 + row[0], 0, "meanwhile")
        assert seen == list(range(6)), "a stream on a handle shows the transaction as it was at the first row"
        assert await db.fetch_value(COUNT) == 12, "what was written meanwhile is committed"
