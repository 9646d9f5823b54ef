from __future__ import annotations

import sqlite3
import traceback
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from oneiric.errors import ConnectionFailed, ConstraintViolation, DeadlineExceeded, OneiricError, QueryError
from oneiric_sqlite import SqliteAdapter
from oneiric_sqlite.errors import translated

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-and-more"


class Thing:
    def __repr__(self) -> str:
        return SECRET


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELEC 1", ()),
        ("SELECT * FROM nothing", ()),
        ("SELECT nothing FROM t", ()),
        ("SELECT $1", ()),
        ("SELECT $1", (1, 2)),
        ("SELECT $1", ({1},)),
        ("SELECT $1", (Thing(),)),
        ("SELECT $1", (2**63,)),
        ("SELECT $1", ("\ud800",)),
        ("SELECT '\ud800'", ()),
        ("SELECT 1\0", ()),
        ("INSERT INTO t(id) VALUES ('text')", ()),
        ("SELECT abs(-9223372036854775808)", ()),
        ("EXPLAIN", ()),
    ],
)
@pytest.mark.parametrize("call", ["execute", "fetch_all", "fetch_one", "fetch_value"])
async def test_a_wrong_statement_or_value_is_a_query_error(
    either: SqliteAdapter, call: str, sql: str, values: tuple[object, ...]
) -> None:
    either.name = "orders"
    with pytest.raises(QueryError) as caught:
        await getattr(either, call)(sql, *values)
    assert (caught.value.adapter, caught.value.transient) == ("orders", False)
    assert await either.fetch_value("SELECT 1") == 1


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("INSERT INTO c VALUES (1, 1, 5, 'x')", ()),
        ("INSERT INTO c VALUES (2, 99, 5, 'x')", ()),
        ("INSERT INTO c VALUES (2, 1, -5, 'x')", ()),
        ("INSERT INTO c VALUES (2, 1, 5, NULL)", ()),
        ("INSERT INTO c VALUES (2, 1, $1, 'x')", (SECRET,)),
    ],
)
async def test_a_broken_constraint_names_it_and_not_the_value(
    either: SqliteAdapter, sql: str, values: tuple[object, ...]
) -> None:
    await either.execute("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    await either.execute(
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p, n INT CHECK (n > 0), s TEXT NOT NULL) STRICT"
    )
    await either.execute("INSERT INTO p VALUES (1)")
    await either.execute("INSERT INTO c VALUES (1, 1, 5, 'x')")
    with pytest.raises(ConstraintViolation) as caught:
        await either.execute(sql, *values)
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    assert SECRET not in str(caught.value)
    assert await either.fetch_value("SELECT count(*) FROM c") == 1


@pytest.mark.parametrize(
    "sql", ["SELECT json_extract('{}', $1)", "SELECT $1 REGEXP 'x'", "SELECT * FROM f WHERE f MATCH $1"]
)
async def test_a_value_is_in_no_message(either: SqliteAdapter, sql: str) -> None:
    await either.execute("CREATE VIRTUAL TABLE f USING fts5(x)")
    with pytest.raises(QueryError) as caught:
        await either.fetch_all(sql, f'"{SECRET}')
    assert SECRET not in str(caught.value)


async def test_a_value_that_can_t_be_bound_is_named_by_its_type(either: SqliteAdapter) -> None:
    with pytest.raises(QueryError, match="Thing"):
        await either.execute("SELECT $1", Thing())


async def test_a_lone_surrogate_is_not_shown_with_its_neighbours(db: SqliteAdapter) -> None:
    with pytest.raises(QueryError) as caught:
        await db.execute("INSERT INTO t(v) VALUES ($1)", f"{SECRET}\ud800")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "text", [SECRET, f"{SECRET}'quoted", f"'{SECRET}", f"{SECRET}\n' with text '{SECRET}", f"'\"{SECRET}'"]
)
async def test_a_stored_text_that_is_not_utf_8_is_not_shown(either: SqliteAdapter, text: str) -> None:
    await either.execute("INSERT INTO t(v) VALUES (CAST($1 AS TEXT))", text.encode() + b"\xff")
    with pytest.raises(QueryError, match="Could not decode") as caught:
        await either.fetch_all("SELECT v FROM t")
    assert SECRET not in str(caught.value)
    assert "AS BLOB" in str(caught.value.hint)
    assert await either.fetch_value("SELECT CAST(v AS BLOB) FROM t") == text.encode() + b"\xff"


async def test_another_process_s_lock_is_transient_once_the_busy_timeout_is_over(path: str) -> None:
    async with SqliteAdapter({"path": path, "busy_timeout": 0.05}) as db:
        await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for write in (db.execute("INSERT INTO t(v) VALUES (1)"), db.insert_many("t", ["v"], [(1,)])):
                with pytest.raises(DeadlineExceeded, match="nothing was done") as caught:
                    await write
                assert caught.value.transient
                assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
            assert await db.fetch_value("SELECT count(*) FROM t") == 0
        assert await db.execute("INSERT INTO t(v) VALUES (1)") == 1


async def test_a_full_disk_fails_the_call_and_nothing_of_it_is_stored(db: SqliteAdapter) -> None:
    await db.execute(f"PRAGMA max_page_count = {await db.fetch_value('PRAGMA page_count') + 2}")
    with pytest.raises(ConnectionFailed, match="full") as caught:
        await db.execute("INSERT INTO t(v) VALUES (zeroblob(100000))")
    assert not caught.value.transient
    assert await db.execute("INSERT INTO t(v) VALUES ('small')") == 1
    assert await db.fetch_value("SELECT count(*) FROM t") == 1


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.write_bytes(b"not a database, but long enough to be taken for one" * 40), "NOTADB"),
        (lambda path: path.symlink_to(path.parent / "nowhere" / "x.db"), "CANTOPEN"),
        (lambda path: path.symlink_to(path), r"CANTOPEN|link"),
    ],
)
async def test_a_path_that_can_t_be_a_database_fails_init_with_a_hint(
    tmp_path: Path, prepare: object, message: str
) -> None:
    path = tmp_path / "x.db"
    prepare(path)  # type: ignore[operator]
    adapter = SqliteAdapter({"path": str(path)})
    with pytest.raises(ConnectionFailed, match=message) as caught:
        await adapter.init()
    assert caught.value.hint
    assert not caught.value.transient
    await adapter.cleanup()


@pytest.mark.parametrize(
    ("path", "message"),
    [("x" * 300, "File name too long"), ("~no-such-user/x.db", "home directory"), (f"{'x' * 300}/x.db", "too long")],
)
async def test_a_path_that_the_system_refuses_fails_init_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    adapter = SqliteAdapter({"path": path})
    with pytest.raises(ConnectionFailed, match=message) as caught:
        await adapter.init()
    assert caught.value.hint
    assert not caught.value.transient
    await adapter.cleanup()


async def test_a_missing_directory_fails_init_and_init_works_once_it_is_there(tmp_path: Path) -> None:
    adapter = SqliteAdapter({"path": str(tmp_path / "later" / "x.db")})
    with pytest.raises(ConnectionFailed, match="does not exist"):
        await adapter.init()
    assert not await adapter.health()
    (tmp_path / "later").mkdir()
    async with adapter:
        assert await adapter.fetch_value("SELECT 1") == 1


def test_a_read_only_file_is_not_transient_and_says_what_must_be_writable(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (1)")
        error = translated(caught.value, "orders")
    assert isinstance(error, ConnectionFailed)
    assert (error.adapter, error.transient) == ("orders", False)
    assert "writable" in str(error)


def test_what_is_no_error_of_the_driver_s_stays_what_it_is() -> None:
    for error in (MemoryError(), KeyError("x")):
        assert translated(error, None) is error
    ours = OneiricError("x")
    assert translated(ours, "orders") is ours
