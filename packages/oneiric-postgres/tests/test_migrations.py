"""Migrations."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from oneiric_postgres import MigrationError, PostgresAdapter

if TYPE_CHECKING:
    from pathlib import Path

FIRST = """CREATE TABLE things (id int);
-- a comment; with a semicolon
INSERT INTO things VALUES (1); INSERT INTO things VALUES (2)"""
SECOND = """
CREATE FUNCTION twice(i int) RETURNS int LANGUAGE plpgsql AS $body$
BEGIN
  RETURN i * 2; -- COMMIT;
END;
$body$;
CREATE FUNCTION thrice(i int) RETURNS int BEGIN ATOMIC SELECT 1; SELECT i * 3; END;
INSERT INTO things SELECT twice(id) FROM things;
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_things.sql").write_text(FIRST)
    (folder / "0002_twice.sql").write_text(SECOND)
    (folder / "README.md").write_text("This is no migration.")
    return folder


async def count(db: PostgresAdapter) -> Any:
    return await db.fetch_value("SELECT count(*) FROM things")


async def test_files_are_applied_in_order_and_once(db: PostgresAdapter, folder: Path) -> None:
    assert [each.file for each in await db.migrate(folder)] == ["0001_things.sql", "0002_twice.sql"]
    assert await db.migrate(folder) == []
    assert await count(db) == 4
    (folder / "0010_more.sql").write_text("INSERT INTO things VALUES (0)")
    assert [each.number for each in await db.migrate(folder)] == [10]
    rows = await db.fetch_all("SELECT number, name FROM oneiric_migrations ORDER BY number")
    assert [tuple(row) for row in rows] == [(1, "things"), (2, "twice"), (10, "more")]


async def test_a_file_that_fails_leaves_nothing_of_itself(db: PostgresAdapter, folder: Path) -> None:
    (folder / "0003_wrong.sql").write_text("INSERT INTO things VALUES (9); CREATE TABLE x (i int); SELEKT 1;")
    (folder / "0004_never.sql").write_text("DROP TABLE things")
    with pytest.raises(MigrationError, match=r"0003_wrong\.sql fails") as raised:
        await db.migrate(folder)
    assert raised.value.adapter == db.name
    assert await count(db) == 4, "those before it stay"
    assert await db.fetch_value("SELECT to_regclass('x')") is None
    (folder / "0003_wrong.sql").write_text("INSERT INTO things VALUES (9)")
    (folder / "0004_never.sql").unlink()
    assert [each.number for each in await db.migrate(folder)] == [3]


async def test_several_processes_at_once(config: dict[str, Any], folder: Path) -> None:
    """Each with connections of its own, as in processes of their own."""
    for number in range(3, 9):
        (folder / f"{number:04}_more.sql").write_text(f"INSERT INTO things VALUES ({number}); SELECT pg_sleep(0.01)")
    async with AsyncExitStack() as stack:
        adapters = [await stack.enter_async_context(PostgresAdapter(config)) for _ in range(6)]
        applied = await asyncio.gather(*(adapter.migrate(folder) for adapter in adapters))
        assert sorted(each.number for one in applied for each in one) == list(range(1, 9))
        assert await count(adapters[0]) == 4 + 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "0001_things.sql").write_text(FIRST + ";"), r"0001_things\.sql has changed"),
        (lambda folder: (folder / "0001_things.sql").unlink(), r"0001_things\.sql was applied, and its file is gone"),
        (lambda folder: (folder / "0000_before.sql").write_text("SELECT 1"), r"0000_before\.sql comes before 0002"),
        (lambda folder: (folder / "0002_other.sql").write_text("SELECT 1"), "have the same number"),
        (lambda folder: (folder / "new.sql").write_text("SELECT 1"), r"new\.sql is no name"),
        (lambda folder: (folder / "0003_x.sql").write_text("SELECT 1; COMMIT"), "has a COMMIT"),
        (lambda folder: (folder / "0003_x.sql").write_text("begin; SELECT 1"), "has a BEGIN"),
        (lambda folder: (folder / "0003_x.sql").write_bytes(b"SELECT '\xff'"), "is not UTF-8"),
        (lambda folder: (folder / "0003_x.sql").write_text("SELECT '\0'"), "NUL"),
    ],
    ids=["changed", "gone", "before", "twice", "name", "commit", "begin", "encoding", "nul"],
)
async def test_what_does_not_fit_is_an_error_before_anything_is_applied(
    db: PostgresAdapter, folder: Path, change: Any, said: str
) -> None:
    await db.migrate(folder)
    (folder / "0005_next.sql").write_text("INSERT INTO things VALUES (5)")
    change(folder)
    with pytest.raises(MigrationError, match=said):
        await db.migrate(folder)
    assert await count(db) == 4


async def test_line_ends_do_not_count(db: PostgresAdapter, folder: Path) -> None:
    await db.migrate(folder)
    (folder / "0001_things.sql").write_bytes(FIRST.replace("\n", "\r\n").encode())
    assert await db.migrate(folder) == []


async def test_a_folder_that_is_not_there(db: PostgresAdapter, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="can't be read"):
        await db.migrate(tmp_path / "nowhere")


async def test_a_migration_has_a_deadline(db: PostgresAdapter, folder: Path) -> None:
    (folder / "0003_slow.sql").write_text("INSERT INTO things VALUES (9); SELECT pg_sleep(600)")
    with pytest.raises((MigrationError, TimeoutError)):
        await db.migrate(folder, timeout=2)
    assert await count(db) == 4


def test_the_command_applies_them(config: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "oneiric.yaml"
    file.write_text(json.dumps({"adapters": {"orders": {"adapter": "postgres", **config}}}))
    arguments = ("migrate", "orders", str(folder), "--config", str(file))
    for expected in ([1, 2], []):
        done = run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        assert [each["number"] for each in json.loads(done.stdout)["applied"]] == expected
    assert "up to date" in run(*arguments).stdout
    (folder / "0001_things.sql").unlink()
    done = run(*arguments)
    assert done.returncode == 1
    assert "its file is gone" in done.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from oneiric.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
