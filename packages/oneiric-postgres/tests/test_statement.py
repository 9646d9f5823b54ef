"""What the text of a statement tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.errors import QueryError, Unsupported
from oneiric_postgres.lexer import name_of, pieces
from oneiric_postgres.statement import Rules, statement

PLAIN = Rules()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 'a''b' AS \"x\"\"y\"", ["SELECT", "'a''b'", "AS", '"x""y"']),
        ("a/* b /* c */ d */e", ["a", "e"]),
        ("a--b\nc", ["a", "c"]),
        ("$$a;b$$ $t$ $$ $t$ $1", ["$$a;b$$", "$t$ $$ $t$", "$1"]),
        ("a+-- b\n-1", ["a", "+", "-", "1"]),
        ("x.y.z(1.5e3,.5)", ["x", ".", "y", ".", "z", "(", "1.5e3", ",", ".5", ")"]),
        ("'open", ["'open"]),
        ("/* open", []),
    ],
)
def test_it_is_parted_as_the_server_does_it(sql: str, expected: list[str]) -> None:
    assert [piece.text for piece in pieces(sql)] == expected


def test_names_are_folded_and_cut_as_the_server_does_it() -> None:
    assert [name_of(piece) for piece in pieces('ABC "ABC" ÄB "a""b" ' + "é" * 40)] == [
        "abc", "ABC", "Äb", 'a"b', "é" * 31,
    ]  # fmt: skip


@given(st.text(max_size=60))
def test_any_text_is_parted(sql: str) -> None:
    for piece in pieces(sql):
        assert piece.text
        assert sql[: piece.end].endswith(piece.text) or piece.kind == "block"
    statement(sql, PLAIN)


@given(st.text(st.sampled_from("'\"$-/*\\; \nabS1U&"), max_size=40))
def test_any_text_of_awkward_characters_is_parted(sql: str) -> None:
    statement(sql, Rules(read_only=True, pgbouncer=True))


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN", ";;COMMIT", "/**/ end", "start transaction", "ABORT", "Savepoint a", "RELEASE a", "ROLLBACK TO a",
        "PREPARE TRANSACTION 'a'", "COMMIT PREPARED 'a'", "", " ;; ", "-- nothing", None, 7, b"SELECT 1",
    ],
)  # fmt: skip
def test_what_is_never_run(sql: object) -> None:
    with pytest.raises(QueryError):
        statement(sql, PLAIN).check(None)


def test_copy_is_not_run() -> None:
    with pytest.raises(Unsupported):
        statement("COPY t FROM STDIN", PLAIN).check(None)


@pytest.mark.parametrize(
    "sql",
    [
        "SET transaction_read_only = off", "SET default_transaction_read_only TO off", "RESET ALL", "DO $$BEGIN END$$",
        "CALL p()", "INSERT INTO t VALUES (1)", "CREATE TABLE t ()", "SET SESSION AUTHORIZATION postgres", "DISCARD ALL",
    ],
)  # fmt: skip
def test_what_could_end_read_only_is_refused(sql: str) -> None:
    with pytest.raises(QueryError, match="read_only"):
        statement(sql, Rules(read_only=True)).check(None)
    statement(sql, PLAIN).check(None)


@pytest.mark.parametrize(
    "sql",
    [
        "SET a.b = 1", "SET SESSION a.b = 1", "RESET ALL", "LISTEN a", "PREPARE a AS SELECT 1", "DISCARD ALL",
        "CREATE TEMP TABLE t ()", "SELECT 1 INTO TEMPORARY t", "SELECT pg_advisory_lock(1)",
        "SELECT set_config('a', 'b', false)",
    ],
)  # fmt: skip
def test_what_changes_a_session_is_refused_behind_pgbouncer(sql: str) -> None:
    with pytest.raises(Unsupported):
        statement(sql, Rules(pgbouncer=True)).check(None)
    statement(sql, PLAIN).check(None)


@pytest.mark.parametrize(
    "sql", ["SET LOCAL a.b = 1", "SELECT pg_advisory_xact_lock(1)", "CREATE TABLE t ()", "SELECT 1"]
)
def test_what_ends_with_its_transaction_is_not(sql: str) -> None:
    statement(sql, Rules(pgbouncer=True)).check(None)
