"""Values of PostgreSQL's own types, there and back: bound, streamed, and through COPY."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import ipaddress
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oneiric.errors import QueryError, TransactionClosed
from oneiric_postgres import PostgresAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT
    | st.floats(-1e15, 1e15).map(lambda number: round(number, 6) + 0.0),  # jsonb has decimals, and no -0.0
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
DATES = st.dates(datetime.date(1, 1, 2), datetime.date(9999, 12, 30))
TIMES = st.datetimes(datetime.datetime(1, 1, 3), datetime.datetime(9999, 12, 29))
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "jsonb": JSON.filter(lambda value: value is not None),
    "json": JSON.filter(lambda value: value is not None),
    "numeric": st.decimals(allow_infinity=False, allow_nan=False, places=6) | st.just(decimal.Decimal("1E+30")),
    "uuid": st.uuids(),
    "timestamptz": TIMES.map(lambda moment: moment.replace(tzinfo=datetime.UTC)),
    "timestamp": TIMES,
    "date": DATES,
    "time": st.times(),
    "interval": st.timedeltas(datetime.timedelta(days=-100_000), datetime.timedelta(days=100_000)),
    "bytea": st.binary(max_size=20),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double precision": st.floats(allow_nan=False),
    "text": TEXT,
    "boolean": st.booleans(),
    "inet": st.ip_addresses().map(ipaddress.ip_interface).map(lambda one: one.ip),
}
OF_ARRAYS = ["jsonb", "numeric", "uuid", "timestamptz", "date", "time", "interval", "bytea", "bigint", "text"]


@pytest.fixture
def driven(config: dict[str, Any]) -> Iterator[tuple[PostgresAdapter, Callable[..., Any]]]:
    """An adapter, and what runs a call: hypothesis calls functions that are not async."""
    with asyncio.Runner() as runner:
        db = PostgresAdapter(config)
        runner.run(db.init())
        yield db, runner.run
        runner.run(db.cleanup())


@pytest.mark.parametrize("kind", [*KINDS, *(f"{kind}[]" for kind in OF_ARRAYS)])
def test_values_come_back(driven: tuple[PostgresAdapter, Callable[..., Any]], kind: str) -> None:
    db, run = driven
    strategy = KINDS[kind.removesuffix("[]")]
    if kind == "jsonb[]":  # the driver takes a list in a list for one more dimension
        strategy = strategy.filter(lambda value: not isinstance(value, list))
    if kind.endswith("[]"):
        strategy = st.lists(strategy | st.none(), max_size=4)
    run(db.execute(f"CREATE TABLE v (n int, x {kind})"))

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(st.lists(strategy | st.none(), min_size=1, max_size=4))
    def check(values: list[Any]) -> None:
        run(there_and_back(db, values))

    check()


async def there_and_back(db: PostgresAdapter, values: list[Any]) -> None:
    await db.execute("DELETE FROM v")
    await db.execute("INSERT INTO v VALUES (0, $1)", values[0])
    await db.execute_many("INSERT INTO v VALUES ($1, $2)", list(enumerate(values, 100)))
    await db.insert_many("v", ["n", "x"], list(enumerate(values, 200)))
    expected = [values[0], *values, *values]
    assert [row[0] for row in await db.fetch_all("SELECT x FROM v ORDER BY n")] == expected
    assert [row[0] async for row in db.stream("SELECT x FROM v ORDER BY n", batch_size=2)] == expected


async def test_json_is_pythons_own_values(db: PostgresAdapter) -> None:
    await db.execute("CREATE TABLE j (a jsonb, b json)")
    value = {"a": [1, 2.5, None, True, {"ß": "🙂"}], "b": "text"}
    await db.execute("INSERT INTO j VALUES ($1, $2)", value, value)
    row = await db.fetch_one("SELECT a, b, a->'a' AS inner, a->>'b' AS text FROM j WHERE a @> $1", {"b": "text"})
    assert row is not None
    assert tuple(row) == (value, value, value["a"], "text")
    assert await db.fetch_value("SELECT $1::jsonb", "text") == "text", "a string is a JSON string"
    assert await db.fetch_value("SELECT 'null'::jsonb") is None


@pytest.mark.parametrize(
    "value",
    [float("nan"), {"a": float("inf")}, {1, 2}, object(), {"a": b"x"}, "\ud800"],
    ids=["nan", "infinity", "set", "object", "bytes", "surrogate"],
)
async def test_what_is_no_json_is_refused(db: PostgresAdapter, value: Any) -> None:
    await db.execute("CREATE TABLE j (a jsonb)")
    with pytest.raises(QueryError):
        await db.execute("INSERT INTO j VALUES ($1)", value)
    with pytest.raises(QueryError):
        await db.insert_many("j", ["a"], [({},), (value,)])
    assert await db.fetch_value("SELECT count(*) FROM j") == 0


async def test_enums_and_composites(db: PostgresAdapter) -> None:
    await db.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
    await db.execute("CREATE TABLE m (a mood, b mood[])")
    await db.insert_many("m", ["a", "b"], [("good", ["bad", "good"])])
    assert tuple(await db.fetch_one("SELECT a, b FROM m WHERE a = $1", "good") or ()) == ("good", ["bad", "good"])
    with pytest.raises(QueryError):
        await db.execute("INSERT INTO m (a) VALUES ($1)", "c4n4ry")


async def test_a_type_that_is_made_anew(config: dict[str, Any]) -> None:
    """What the driver knew of it is forgotten at the first error, which says that it passes."""
    async with PostgresAdapter({**config, "pool_max_size": 1}) as db:
        for value in ("a", "b"):
            await db.execute(f"CREATE TYPE mood AS ENUM ('{value}')")
            await db.execute("CREATE TABLE m (a mood)")
            try:
                await db.execute("INSERT INTO m VALUES ($1)", value)
            except TransactionClosed as error:
                assert (error.transient, value) == (True, "b")  # noqa: PT017 - it may also have gone well
                await db.execute("INSERT INTO m VALUES ($1)", value)
            assert await db.fetch_value("SELECT a FROM m") == value
            await db.execute("DROP TABLE m")
            await db.execute("DROP TYPE mood")


async def test_a_table_that_is_altered_beneath_a_query(config: dict[str, Any]) -> None:
    async with PostgresAdapter(config) as db, PostgresAdapter(config) as other:
        await db.execute("CREATE TABLE m (a int)")
        await db.execute("INSERT INTO m VALUES (1)")
        for _ in range(3):
            assert [tuple(row) for row in await db.fetch_all("SELECT * FROM m")] == [(1,)]
        await other.execute("ALTER TABLE m ADD COLUMN b text DEFAULT 'x'")
        assert [tuple(row) for row in await db.fetch_all("SELECT * FROM m")] == [(1, "x")]


async def test_special_uuids_and_moments(db: PostgresAdapter) -> None:
    """An aware moment comes back in UTC, whatever its zone was."""
    zone = datetime.timezone(datetime.timedelta(hours=-3))
    moment = datetime.datetime(2026, 1, 1, 12, tzinfo=zone)
    back = await db.fetch_value("SELECT $1::timestamptz", moment)
    assert back == moment
    assert back.utcoffset() == datetime.timedelta(0)
    with pytest.raises(QueryError):
        await db.fetch_value("SELECT $1::timestamp", moment)
    assert await db.fetch_value("SELECT $1::uuid", str(uuid.UUID(int=7))) == uuid.UUID(int=7)
