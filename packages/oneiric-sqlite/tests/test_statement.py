from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.errors import QueryError, Unsupported
from oneiric_sqlite.statement import Kind, insertion, quoted, statement


def run(sql: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        known = statement(sql)
        return connection.execute(known.sql, known.bind(values)).fetchall()


@pytest.mark.parametrize(
    ("sql", "values", "row"),
    [
        ("SELECT $1, $2", (1, 2), (1, 2)),
        ("SELECT $2, $1", (1, 2), (2, 1)),
        ("SELECT $1, $1, $2", (1, 2), (1, 1, 2)),
        ("SELECT $01", (7,), (7,)),
        ("SELECT $3", (1, 2, 3), (3,)),
        ("SELECT '$1', $1", (1,), ("$1", 1)),
        ("SELECT 'it''s $1', $1", (1,), ("it's $1", 1)),
        ('SELECT x AS "a $1 "" b", $1 FROM (SELECT 1 AS x)', (2,), (1, 2)),
        ("SELECT x AS `$1`, $1 FROM (SELECT 1 AS x)", (2,), (1, 2)),
        ("SELECT x AS [$1], $1 FROM (SELECT 1 AS x)", (2,), (1, 2)),
        ("SELECT /* $1 ? ' */ $1 -- $2 '\n, 3", (1,), (1, 3)),
        ("SELECT a$1, $1 FROM (SELECT 5 AS a$1)", (1,), (5, 1)),
        ("SELECT x'24', $1", (1,), (b"$", 1)),
        ("SELECT $1 /* open $2", (1,), (1,)),
        ("SELECT $10, $1, $2, $3, $4, $5, $6, $7, $8, $9", tuple(range(1, 11)), (10, *range(1, 10))),
    ],
)
def test_placeholders_are_rewritten_and_what_only_looks_like_one_is_not(
    sql: str, values: tuple[object, ...], row: tuple[object, ...]
) -> None:
    assert run(sql, *values) == [row]


@pytest.mark.parametrize("sql", ["SELECT $1, $2", "SELECT $2, $1, $1"])
@pytest.mark.parametrize("values", [(), (1,), (1, 2, 3)])
def test_a_wrong_number_of_values_is_refused_before_anything_runs(sql: str, values: tuple[int, ...]) -> None:
    with pytest.raises(QueryError, match="takes 2 values"):
        statement(sql).bind(values)


@pytest.mark.parametrize(
    "sql", ["SELECT ?", "SELECT ?1", "SELECT :a", "SELECT @a", "SELECT $a", "SELECT $1::x", "SELECT $1a"]
)
def test_other_placeholders_are_refused(sql: str) -> None:
    with pytest.raises(QueryError, match=r"Placeholders are \$1"):
        statement(sql)


@pytest.mark.parametrize("sql", ["SELECT $0", "SELECT $32767", "SELECT $" + "9" * 5000])
def test_a_placeholder_out_of_range_is_refused(sql: str) -> None:
    with pytest.raises(QueryError, match="A placeholder is"):
        statement(sql)


@pytest.mark.parametrize("sql", ["", "  \n", "-- only a comment", "/* open", ";", "(1)", "\0", None, 1, b"SELECT 1"])
def test_what_is_no_statement_is_refused(sql: object) -> None:
    with pytest.raises(QueryError):
        statement(sql)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", Kind.READ),
        ("-- INSERT\n /* x */ select 1", Kind.READ),
        ("with x as (select 1) select 1", Kind.WITH),
        ("/**/insert into t values (1)", Kind.WRITE),
        ("PRAGMA user_version", Kind.OTHER),
        ("CREATE TABLE x (y)", Kind.OTHER),
    ],
)
def test_the_first_word_tells_the_kind(sql: str, kind: Kind) -> None:
    assert statement(sql).kind is kind


@pytest.mark.parametrize("word", ["BEGIN", "commit", "END", "-- x\nROLLBACK", "SAVEPOINT a", "RELEASE a"])
def test_a_statement_that_would_open_or_end_a_transaction_is_refused_with_what_to_use(word: str) -> None:
    with pytest.raises(QueryError, match=r"transaction\(\)"):
        statement(word)


@pytest.mark.parametrize("sql", ["ATTACH ':memory:' AS x", "detach x"])
def test_attaching_another_file_is_unsupported(sql: str) -> None:
    with pytest.raises(Unsupported, match="second instance"):
        statement(sql)


def refusal(connection: sqlite3.Connection, sql: str, values: object) -> str:
    try:
        connection.execute(sql, values)  # type: ignore[arg-type]
    except sqlite3.Error as error:
        return str(error)
    return ""


@given(st.text(alphabet=st.sampled_from("'\"`[]-/*$1?:a \n;,("), max_size=40))
def test_a_rewrite_never_changes_what_sqlite_takes_the_text_for(text: str) -> None:
    """Whatever is refused by neither has as many placeholders for SQLite as for us."""
    try:
        known = statement(f"SELECT {text}")
    except QueryError:
        return
    values = known.bind([None] * known.count)
    with closing(sqlite3.connect(":memory:")) as connection:
        assert "binding" not in refusal(connection, known.sql, values)


@given(st.text(min_size=1).filter(lambda name: "\0" not in name and not any("\ud800" <= c <= "\udfff" for c in name)))
def test_any_name_can_be_quoted(name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE {quoted(name)} (x)") if not name.lower().startswith("sqlite_") else None
        assert connection.execute(f"SELECT 1 AS {quoted(name)}").description[0][0] == name


@pytest.mark.parametrize("name", ["", "a\0b", None, 1])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(QueryError, match="name"):
        quoted(name)


@pytest.mark.parametrize(
    ("table", "columns"),
    [("t", []), ("t", "id"), ("a.b.c", ["id"]), (".t", ["id"]), ("t", ["id", "id"]), (None, ["id"])],
)
def test_an_insertion_into_what_is_no_table_is_refused(table: str, columns: list[str]) -> None:
    with pytest.raises(QueryError):
        insertion(table, columns)


def test_a_statement_with_many_quotes_is_read_in_linear_time() -> None:
    for text in ("'" * 200_000, "[" * 200_000, "/*" * 100_000, "-- \n" * 50_000, "`" * 199_999, '"' * 200_000):
        assert statement(f"SELECT 1 {text}").count == 0
