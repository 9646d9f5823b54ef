"""What only shows between processes: a kill in the middle of writes, two writers on one file, and a forgotten cleanup()."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WRITE_FOR_EVER = """
import asyncio, os, sys
from itertools import count
from oneiric_sqlite import SqliteAdapter

async def main():
    numbers = count(1)
    async with SqliteAdapter({"path": sys.argv[1]}) as db:
        await db.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, pair INTEGER)")

        async def single():
            while True:
                number = next(numbers)
                await db.execute("INSERT INTO t VALUES ($1, NULL)", number)
                os.write(1, f"{number}\\n".encode())

        async def pair():
            while True:
                number, other = next(numbers), next(numbers)
                async with db.transaction() as tx:
                    await tx.execute("INSERT INTO t VALUES ($1, $2)", number, other)
                    await tx.execute("INSERT INTO t VALUES ($1, $2)", other, number)
                os.write(1, f"{number}\\n{other}\\n".encode())

        await asyncio.gather(*(single() for _ in range(16)), *(pair() for _ in range(4)))

asyncio.run(main())
"""

COUNT_UP = """
import asyncio, sys
from oneiric_sqlite import SqliteAdapter

async def main():
    async with SqliteAdapter({"path": sys.argv[1], "busy_timeout": 60, "timeout": 100}) as db:
        await db.execute("CREATE TABLE IF NOT EXISTS n (v INTEGER)")
        async with db.transaction() as tx:
            if await tx.fetch_one("SELECT v FROM n") is None:
                await tx.execute("INSERT INTO n VALUES (0)")

        async def one():
            async with db.transaction() as tx:
                value = await tx.fetch_value("SELECT v FROM n")
                await tx.execute("UPDATE n SET v = $1", value + 1)
            await db.execute("UPDATE n SET v = v + 1")

        await asyncio.gather(*(one() for _ in range(40)))

asyncio.run(main())
"""

FORGET = """
import asyncio, sys
from oneiric_sqlite import SqliteAdapter

async def main():
    db = SqliteAdapter({"path": sys.argv[1]})
    await db.init()
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    await db.execute("INSERT INTO t VALUES (1, 'kept')")
    rows = db.stream("SELECT * FROM t")
    await anext(rows)
    return db, rows

kept = asyncio.run(main())
print("done")
"""

USE_WELL = """
import asyncio, sys
from oneiric_sqlite import SqliteAdapter

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # of a machine that is busy it warns too
    for path in (sys.argv[1], ":memory:"):
        async with SqliteAdapter({"path": path}) as db:
            await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
            await db.insert_many("t", ["v"], ((n,) for n in range(5000)))
            async for row in db.stream("SELECT $1, v FROM t WHERE v > $2 OR v > $1", 5, 6):
                break
            async with db.transaction() as tx:
                await tx.execute("DELETE FROM t")
            await asyncio.gather(*(db.fetch_all("SELECT $1, $1", n) for n in range(50)))

asyncio.run(main())
"""


def test_after_a_kill_every_acknowledged_write_is_there_and_no_transaction_is_half_done(path: str) -> None:
    for minimum in (100, 300, 50):
        child = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, path], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(minimum)]
        child.kill()
        # The last line may have been cut short by the kill.
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
        child.wait(timeout=30)
        child.stdout.close()
        with closing(sqlite3.connect(path)) as connection:
            stored = dict(connection.execute("SELECT id, pair FROM t"))
            assert set(acknowledged) <= set(stored)
            assert all(stored.get(other) == number for number, other in stored.items() if other is not None)
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            connection.execute("DELETE FROM t")
            connection.commit()


def test_two_processes_write_to_one_new_file_without_losing_an_update(path: str) -> None:
    children = [subprocess.Popen([sys.executable, "-c", COUNT_UP, path]) for _ in range(2)]
    assert [child.wait(timeout=100) for child in children] == [0, 0]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT v FROM n").fetchone()[0] == 160


def test_a_process_that_forgets_cleanup_still_exits(path: str) -> None:
    ran = subprocess.run([sys.executable, "-c", FORGET, path], capture_output=True, text=True, timeout=20, check=False)
    assert (ran.returncode, ran.stdout) == (0, "done\n")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT v FROM t").fetchone()[0] == "kept"


def test_used_right_it_warns_of_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", USE_WELL, str(tmp_path / "x.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
