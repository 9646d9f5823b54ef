"""Which file a path means, and what becomes of it where it is not there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from oneiric.errors import ConnectionFailed
from oneiric_sqlite import SqliteAdapter, SqliteSettings
from oneiric_sqlite.connection import opened


async def test_health_notices_that_the_file_is_gone(db: SqliteAdapter, path: str) -> None:
    file = Path(path)
    file.rename(f"{path}.away")  # noqa: ASYNC240 - a test's loop may wait
    health = await db.health()
    assert not health
    assert "deleted or replaced" in health.detail
    Path(f"{path}.away").rename(path)  # noqa: ASYNC240
    assert await db.health()


async def test_the_home_directory_and_relative_paths_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    async with SqliteAdapter({"path": "~/a.db"}), SqliteAdapter({"path": "b.db"}):
        assert {"a.db", "b.db"} <= {file.name for file in tmp_path.iterdir()}  # noqa: ASYNC240


async def test_a_relative_path_means_what_it_meant_at_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    async with SqliteAdapter({"path": "x.db"}) as db:
        await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        await db.execute("INSERT INTO t VALUES (1)")
        monkeypatch.chdir(tmp_path / "there")
        assert await db.health()
        assert [row[0] async for row in db.stream("SELECT id FROM t")] == [1]
    assert list((tmp_path / "there").iterdir()) == []


async def test_a_deleted_or_replaced_file_is_an_error_for_a_stream_and_never_a_new_database(
    db: SqliteAdapter, tmp_path: Path
) -> None:
    for file in tmp_path.iterdir():  # noqa: ASYNC240 - a test's loop may wait
        file.unlink()
    for there in (0, 1):
        with pytest.raises(ConnectionFailed, match="deleted or replaced") as caught:
            await anext(db.stream("SELECT * FROM t"))
        assert not caught.value.transient
        assert len(list(tmp_path.iterdir())) == there  # noqa: ASYNC240
        (tmp_path / "test.db").write_bytes(b"")


async def test_a_reader_makes_no_file(path: str) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await opened(SqliteSettings(path=path), is_reader=True)
    assert not Path(path).exists()  # noqa: ASYNC240 - a test's loop may wait


async def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    name = "a b%20c?mode=memory&x=#é'\"..db"
    async with SqliteAdapter({"path": str(tmp_path / name)}) as db:
        await db.execute("CREATE TABLE t AS SELECT 1")
        assert [row[0] async for row in db.stream("SELECT * FROM t")] == [1]
        assert await db.health()
    assert [file.name for file in tmp_path.iterdir()] == [name]  # noqa: ASYNC240 - a test's loop may wait
