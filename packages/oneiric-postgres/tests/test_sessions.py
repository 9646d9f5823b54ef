"""What one borrower does to a session, the next one must not find: each road by which it could get there.

Each test has its control: the same without resets shows the leak.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import OneiricError
from oneiric_postgres import PostgresAdapter
from oneiric_postgres.verdicts import is_clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LEAK = "pg_catalog.set_config('oneiric.leak', 'yes', false)"
HAS_LEAKED = "SELECT coalesce(current_setting('oneiric.leak', true), '') = 'yes'"
EVIL = f"LANGUAGE plpgsql AS $$BEGIN PERFORM {LEAK}; RETURN"
EVIL_FUNCTION = f"CREATE FUNCTION evil(i int) RETURNS int {EVIL} i; END$$"
TABLE = "CREATE TABLE items (id bigint PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'one'), (2, 'two')"
OTHER_SESSION = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4242"


@dataclass(frozen=True)
class Road:
    """How a session is changed: statements that prepare it, the one that does it, and a query that tells whether it was."""

    act: str
    told_by: str = HAS_LEAKED
    made: str = TABLE
    search_path: str = "{schema}"
    often: int = 6
    """A query is looked at when it comes again, so each runs several times."""


def of(made: str, act: str, **more: Any) -> Road:
    return Road(act, made=f"{TABLE}; {made}", **more)


BY_STATEMENT = {
    "SET": Road("SET oneiric.leak = 'yes'"),
    "SET in disguise": Road("/* a /* b */ SELECT */ -- SELECT\n sEt/**/oneiric.leak TO 'yes'"),
    "SET behind a semicolon": Road(" ; ; SET oneiric.leak = 'yes'"),
    "SET ROLE": Road("SET ROLE pg_monitor", "SELECT current_user = 'pg_monitor'"),
    "SET SESSION AUTHORIZATION": Road(
        "SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user = 'pg_monitor'", often=1
    ),
    "SET SESSION CHARACTERISTICS": Road(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SELECT current_setting('transaction_isolation') = 'serializable'",
    ),
    "LISTEN": Road("LISTEN gossip", "SELECT count(*) > 0 FROM pg_listening_channels()"),
    "CREATE TEMPORARY TABLE": Road(
        "CREATE TEMP TABLE mine AS SELECT 1", "SELECT to_regclass('mine') IS NOT NULL", often=1
    ),
    "CREATE VIEW in pg_temp": Road(
        "CREATE VIEW pg_temp.mine AS SELECT 1", "SELECT to_regclass('pg_temp.mine') IS NOT NULL", often=1
    ),
    "SELECT INTO": Road("SELECT 1 AS a INTO TEMP mine", "SELECT to_regclass('mine') IS NOT NULL", often=1),
    "SELECT INTO late": Road(
        "WITH a AS (SELECT 1 AS b) SELECT b\n INTO\nTEMPORARY mine FROM a",
        "SELECT to_regclass('mine') IS NOT NULL",
        often=1,
    ),
    "PREPARE": Road(
        "PREPARE mine AS SELECT 1", "SELECT count(*) > 0 FROM pg_prepared_statements WHERE name = 'mine'", often=1
    ),
    "a cursor WITH HOLD": Road(
        "DECLARE mine CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) > 0 FROM pg_cursors WHERE name = 'mine'", often=1
    ),
    "DO": Road(f"DO $$BEGIN PERFORM {LEAK}; END$$"),
    "CALL": of(f"CREATE PROCEDURE evil() LANGUAGE plpgsql AS $$BEGIN PERFORM {LEAK}; END$$", "CALL evil()"),
    "EXPLAIN ANALYZE": Road(f"EXPLAIN ANALYZE SELECT {LEAK}"),
    "a schema in the search path": Road(
        "SET search_path = pg_catalog", "SELECT current_setting('search_path') = 'pg_catalog'"
    ),
    "read only": Road(
        "SET default_transaction_read_only = on", "SELECT current_setting('default_transaction_read_only') = 'on'"
    ),
}
BY_SYSTEM_FUNCTION = {
    "set_config": Road("SELECT set_config('oneiric.leak', 'yes', false)"),
    "set_config, quoted": Road("""SELECT "set_config"('oneiric.leak', 'yes', false)"""),
    "set_config, in pg_catalog": Road("SELECT PG_CATALOG . Set_Config ('oneiric.leak', 'yes', false)"),
    "set_config, behind a comment": Road("SELECT set_config/* ' */('oneiric.leak', 'yes', false)"),
    "set_config, in escapes": Road(r"""SELECT U&"s\0065t_config"('oneiric.leak', 'yes', false)"""),
    "set_config, in other escapes": Road("""SELECT U&"s!0065t_config" UESCAPE '!' ('oneiric.leak', 'yes', false)"""),
    "set_config, behind a quote that is escaped": Road(r"SELECT E'\'', set_config('oneiric.leak', 'yes', false) --'"),
    "set_config, in a condition": Road(f"SELECT id FROM items WHERE {LEAK} = 'yes'"),
    "set_config, in VALUES": Road(f"VALUES ({LEAK})"),
    "set_config, in FROM": Road(f"SELECT * FROM {LEAK}"),
    "set_config, in WITH": Road(f"WITH a AS MATERIALIZED (SELECT {LEAK}) SELECT * FROM a"),
    "set_config, in ORDER BY": Road(f"SELECT id FROM items ORDER BY {LEAK}"),
    "set_config, in parentheses": Road(f"(SELECT {LEAK})"),
    "an advisory lock": Road("SELECT pg_advisory_lock(4242)", OTHER_SESSION),
    "a shared advisory lock": Road("SELECT pg_try_advisory_lock_shared(4242)", OTHER_SESSION),
    "nextval": of("CREATE SEQUENCE counter", "SELECT nextval('counter')", told_by="SELECT lastval() > 0"),
    "setseed": Road(
        "SELECT setseed(0.5)", "SELECT random() = (SELECT r FROM (SELECT setseed(0.5), random() AS r) x)", often=1
    ),
}
BY_SOMEBODYS_CODE = {
    "a function": of(EVIL_FUNCTION, "SELECT evil(1)"),
    "a function in SQL": of(f"CREATE FUNCTION evil() RETURNS text LANGUAGE sql AS $$SELECT {LEAK}$$", "SELECT evil()"),
    "a function that is said to be immutable": of(
        f"{EVIL_FUNCTION.replace('AS $$', 'IMMUTABLE AS $$')}", "SELECT id FROM items WHERE id = evil(1)"
    ),
    "a function before the system's": of(
        f"CREATE FUNCTION lower(a text) RETURNS text {EVIL} a; END$$",
        "SELECT lower(name) FROM items",
        search_path="{schema}, pg_catalog",
    ),
    "an overload of the system's function": of(
        f"CREATE FUNCTION lower(a bigint) RETURNS text {EVIL} a; END$$", "SELECT lower(id) FROM items"
    ),
    "a function, as if it were a column": of(
        f"CREATE FUNCTION evil(i items) RETURNS int {EVIL} 1; END$$", "SELECT items.evil FROM items"
    ),
    "a function of the system's name, as if it were a column": of(
        f"CREATE FUNCTION upper(i items) RETURNS int {EVIL} 1; END$$", "SELECT i.upper FROM items i"
    ),
    "a function with a variadic argument": of(
        f"CREATE FUNCTION evil(VARIADIC i int[]) RETURNS int {EVIL} 1; END$$", "SELECT evil(1, 2, 3)"
    ),
    "a function's default argument": of(
        f"CREATE FUNCTION harmless(t text DEFAULT {LEAK}) RETURNS text LANGUAGE sql AS 'SELECT t'", "SELECT harmless()"
    ),
    "an aggregate": of(
        f"CREATE FUNCTION evil(a bigint, b bigint) RETURNS bigint {EVIL} b; END$$;"
        "CREATE AGGREGATE total(bigint) (SFUNC = evil, STYPE = bigint)",
        "SELECT total(id) FROM items",
    ),
    "an operator": of(
        f"CREATE FUNCTION evil(a text, b bigint) RETURNS bool {EVIL} true; END$$;"
        "CREATE OPERATOR === (LEFTARG = text, RIGHTARG = bigint, FUNCTION = evil)",
        "SELECT id FROM items WHERE name === id",
    ),
    "an operator of the system's name": of(
        f"CREATE FUNCTION evil(a text, b bigint) RETURNS bool {EVIL} true; END$$;"
        "CREATE OPERATOR = (LEFTARG = text, RIGHTARG = bigint, FUNCTION = evil)",
        "SELECT id FROM items WHERE name = id",
    ),
    "an operator that IN stands for": of(
        f"CREATE FUNCTION evil(a text, b bigint) RETURNS bool {EVIL} true; END$$;"
        "CREATE OPERATOR = (LEFTARG = text, RIGHTARG = bigint, FUNCTION = evil)",
        "SELECT id FROM items WHERE name IN (id, id + 1)",
    ),
    "an operator by its schema": of(
        f"CREATE FUNCTION evil(a bigint, b bigint) RETURNS bigint {EVIL} 1; END$$;"
        "CREATE OPERATOR + (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil)",
        "SELECT id OPERATOR({schema}.+) id FROM items",
    ),
    "a cast": of(
        f"CREATE TYPE pair AS (a text); CREATE FUNCTION evil(a pair) RETURNS int {EVIL} 1; END$$;"
        "CREATE CAST (pair AS int) WITH FUNCTION evil(pair)",
        "SELECT CAST(ROW('a')::pair AS int)",
    ),
    "a domain's check": of(f"{EVIL_FUNCTION}; CREATE DOMAIN small AS int CHECK (evil(VALUE) > 0)", "SELECT '1'::small"),
    "a domain's array": of(
        f"{EVIL_FUNCTION}; CREATE DOMAIN small AS int CHECK (evil(VALUE) > 0)", "SELECT ARRAY[1, 2]::small[]"
    ),
    "a table's type with a domain in it": of(
        f"{EVIL_FUNCTION}; CREATE DOMAIN small AS int CHECK (evil(VALUE) > 0); CREATE TABLE rowed (s small)",
        "SELECT '(1)'::rowed",
    ),
    "a view": of(f"{EVIL_FUNCTION}; CREATE VIEW peaceful AS SELECT evil(1)", "SELECT * FROM peaceful"),
    "a view in a view": of(
        f"{EVIL_FUNCTION}; CREATE VIEW inner_one AS SELECT evil(1); CREATE VIEW peaceful AS SELECT * FROM inner_one",
        "TABLE peaceful",
    ),
    "a view's name in quotes": of(
        f"""{EVIL_FUNCTION}; CREATE VIEW "Peace ""ful" AS SELECT evil(1)""", """SELECT * FROM "Peace ""ful" """
    ),
    "a policy": of(
        f"{EVIL_FUNCTION}; CREATE TABLE guarded AS SELECT * FROM items; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON guarded USING (evil(1) = 1);"
        "DO $$BEGIN CREATE ROLE oneiric_guarded; EXCEPTION WHEN duplicate_object THEN NULL; END$$;"
        "GRANT USAGE ON SCHEMA {schema} TO oneiric_guarded; ALTER TABLE guarded OWNER TO oneiric_guarded;"
        "ALTER TABLE guarded FORCE ROW LEVEL SECURITY;"
        "CREATE FUNCTION read_it() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM {schema}.guarded';"
        "ALTER FUNCTION read_it() OWNER TO oneiric_guarded",
        "SELECT read_it()",
    ),
    "an index's expression": of(
        f"{EVIL_FUNCTION.replace('AS $$', 'IMMUTABLE AS $$')}; CREATE INDEX ON items ((evil(1) + id))",
        "SELECT name FROM items WHERE id = 1",
    ),
    "an index's condition": of(
        f"{EVIL_FUNCTION.replace('AS $$', 'IMMUTABLE AS $$')}; CREATE INDEX ON items (name) WHERE evil(1) = id",
        "SELECT name FROM items WHERE name = 'one'",
    ),
    "a partition that is a child of it": of(
        f"{EVIL_FUNCTION.replace('AS $$', 'IMMUTABLE AS $$')}; CREATE TABLE parted (id bigint) PARTITION BY LIST (id);"
        "CREATE TABLE parted_one PARTITION OF parted FOR VALUES IN (1); INSERT INTO parted VALUES (1);"
        "CREATE INDEX ON parted_one ((evil(1) + id))",
        "SELECT * FROM parted",
    ),
    "a column's default": of(
        f"CREATE TABLE filled (a int, t text DEFAULT {LEAK})", "INSERT INTO filled (a) VALUES (1)"
    ),
    "a write in a query": of(
        f"CREATE TABLE filled (a int, t text DEFAULT {LEAK})",
        "WITH w AS (INSERT INTO filled (a) VALUES (1) RETURNING a) SELECT a FROM w",
    ),
    "a trigger": of(
        f"CREATE TABLE filled (a int); CREATE FUNCTION evil() RETURNS trigger {EVIL} NEW; END$$;"
        "CREATE TRIGGER t BEFORE INSERT ON filled FOR EACH ROW EXECUTE FUNCTION evil()",
        "INSERT INTO filled VALUES (1)",
    ),
    "a rule": of(
        f"{EVIL_FUNCTION}; CREATE TABLE ruled (a int); CREATE RULE r AS ON UPDATE TO ruled DO ALSO SELECT evil(1)",
        "UPDATE ruled SET a = 1",
    ),
    "a serial column": of(
        "CREATE TABLE counted (id serial, a int)", "INSERT INTO counted (a) VALUES (1)", told_by="SELECT lastval() > 0"
    ),
    "a locked read with a function": of(EVIL_FUNCTION, "SELECT id FROM items WHERE evil(1) = id FOR UPDATE"),
    "a lateral join": of(EVIL_FUNCTION, "SELECT e FROM items i, LATERAL evil(i.id::int) AS e"),
    "rows from": of(EVIL_FUNCTION, "SELECT * FROM ROWS FROM (evil(1), evil(2)) AS x(a, b)"),
    "a sampling method's argument": of(
        EVIL_FUNCTION, "SELECT count(*) FROM items TABLESAMPLE system (100) REPEATABLE (evil(1))"
    ),
    "a name longer than names may be": of(
        f"CREATE FUNCTION {'e' * 63}() RETURNS int {EVIL} 1; END$$", f"SELECT {'e' * 80}()"
    ),
    "a name with letters of its own": of(
        f"""CREATE FUNCTION "Évil"() RETURNS int {EVIL} 1; END$$""", """SELECT "Évil"()"""
    ),
}
ROADS = {**BY_STATEMENT, **BY_SYSTEM_FUNCTION, **BY_SOMEBODYS_CODE}


@pytest.fixture(scope="session")
def database(server: Any) -> str:
    """A database apart: names count in all of its schemas, and other tests leave theirs."""
    server.psql("CREATE DATABASE sessions")
    dsn: str = server.dsn.replace("/postgres?", "/sessions?")
    return dsn


@pytest.fixture
async def config(database: str, schema: str) -> AsyncIterator[dict[str, Any]]:
    config = {"dsn": database, "search_path": schema}
    async with PostgresAdapter(config) as db:
        await db.execute(f"CREATE SCHEMA {schema}")
        yield config
        async with db.raw.acquire() as connection:
            await connection.execute(f"SET client_min_messages = error; DROP SCHEMA {schema} CASCADE")


@pytest.fixture
async def travel(config: dict[str, Any]) -> Callable[..., Any]:
    """Go a road with an adapter of one connection; tells whether the next borrower finds that it was gone."""

    async def travel(road: Road, how: str = "fetch_all", *, resets: bool) -> bool:
        schema = config["search_path"]
        settings = {**config, "pool_max_size": 1, "search_path": road.search_path.format(schema=schema)}
        async with PostgresAdapter(config) as other, PostgresAdapter(settings) as db:
            async with other.raw.acquire() as connection:
                await connection.execute(f"SET search_path = {schema}; {road.made.replace('{schema}', schema)}")
            if not resets:
                db._pool._reset = "never"
            for _ in range(road.often):
                await go(db, how, road.act.replace("{schema}", schema))
            await db.fetch_value("SELECT 1")  # on the only connection, once it is reset: that is behind our back
            teller = other if road.told_by == OTHER_SESSION else db
            try:
                return bool(await teller.fetch_value(road.told_by))
            except OneiricError:
                return False  # lastval() where there is none

    async with PostgresAdapter(config) as db:
        assert await is_found_clean(db, PLAIN), "what another test has left would make everything dirty"
    return travel


async def is_found_clean(db: PostgresAdapter, sql: str) -> bool:
    async with db._session(None) as (session, deadline):
        return await is_clean(session.connection, db._known(sql), deadline.left())


async def go(db: PostgresAdapter, how: str, sql: str) -> None:
    match how:
        case "transaction":
            async with db.transaction() as tx:
                await tx.fetch_all(sql)
        case "stream":
            async with aclosing(db.stream(sql)) as rows:
                async for _ in rows:
                    pass
        case "execute_many":
            await db.execute_many(sql, [()])
        case _:
            await getattr(db, how)(sql)


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
async def test_what_one_borrower_does_to_a_session_the_next_one_does_not_find(
    travel: Callable[..., Any], road: Road
) -> None:
    assert not await travel(road, resets=True)


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
async def test_and_without_resets_it_would(travel: Callable[..., Any], road: Road) -> None:
    assert await travel(road, resets=False)


@pytest.mark.parametrize("how", ["transaction", "stream", "execute_many", "execute", "fetch_one", "fetch_value"])
@pytest.mark.parametrize("name", ["set_config", "a view", "a function"])
async def test_by_whatever_method(travel: Callable[..., Any], name: str, how: str) -> None:
    assert not await travel(ROADS[name], how, resets=True)


@pytest.mark.parametrize(
    "call",
    [
        "query_to_xml('SELECT 1', true, true, '')",  # the wheel's server is built without XML, and so can't run these
        "table_to_xml('items', true, true, '')",
        "pg_input_is_valid('1', 'small')",
        "domain_in('1', 16384, -1)",
    ],
)
async def test_what_runs_what_it_is_told_is_never_clean(config: dict[str, Any], call: str) -> None:
    async with PostgresAdapter(config) as db:
        assert not await is_found_clean(db, f"SELECT {call}")


PLAIN = "SELECT lower(name), id + 1 FROM items WHERE id = $1 AND name IN ('a', 'b') ORDER BY id"


@pytest.mark.parametrize(
    "sql",
    [
        PLAIN,
        "SELECT i.id, i.name, count(*) FROM items i JOIN kinds k ON k.name = i.name GROUP BY 1, 2 HAVING sum(i.id) > $1",
        "WITH a AS (SELECT * FROM items) SELECT a.name || 'x', now(), random() FROM a WHERE a.name LIKE $1 LIMIT 5",
        "SELECT mood, moods, at, tags, body->>'a', body @> $1 FROM kinds WHERE id BETWEEN $2 AND $3",
        "SELECT CASE name WHEN 'a' THEN coalesce(id, 0) ELSE greatest(id, 1) END FROM items",
        "VALUES (1, 'a')",
        "TABLE items",
        "SELECT * FROM parts",
        "SELECT * FROM pg_catalog.pg_stat_activity",
    ],
)
async def test_a_plain_query_is_found_clean(config: dict[str, Any], sql: str) -> None:
    async with PostgresAdapter(config) as db:
        async with db.raw.acquire() as connection:
            await connection.execute(
                f"{TABLE}; CREATE TYPE feeling AS ENUM ('good', 'bad'); CREATE TABLE kinds (id serial PRIMARY KEY,"
                "name text UNIQUE, mood feeling, moods feeling[], at timestamptz, tags text[], body jsonb, CHECK (id > 0));"
                "CREATE INDEX ON kinds (lower(name)); CREATE TABLE parts (id bigint) PARTITION BY RANGE (id);"
                "CREATE TABLE parts_one PARTITION OF parts FOR VALUES FROM (1) TO (5)"
            )
        assert await is_found_clean(db, sql)


async def test_a_plain_query_is_found_clean_beside_pgvector(config: dict[str, Any]) -> None:
    async with PostgresAdapter(config) as db:
        await db.execute("CREATE EXTENSION vector")  # which has a sum() and a `<` of its own
        try:
            await db.execute("CREATE TABLE items (id bigint, name text, price float8)")
            assert await is_found_clean(db, "SELECT sum(price), avg(price) FROM items WHERE id < $1 AND id = 1")
            await db.execute("CREATE TABLE vectors (v vector(2))")
            assert not await is_found_clean(db, "SELECT sum(v) FROM vectors")
        finally:
            await db.execute("DROP EXTENSION vector CASCADE")


async def test_a_verdict_ends_with_ddl_of_our_own(config: dict[str, Any]) -> None:
    """At once; of somebody else's after some seconds."""
    async with PostgresAdapter({**config, "pool_max_size": 1}) as db:
        await db.execute("CREATE TABLE items (id bigint)")
        for _ in range(3):
            await db.fetch_all("SELECT * FROM items")
        assert db._known("SELECT * FROM items").clean_until > 0
        async with db.transaction() as tx:
            await tx.execute("DROP TABLE items")
            await tx.execute(EVIL_FUNCTION)
            await tx.execute("CREATE VIEW items AS SELECT evil(1)")
        for _ in range(3):
            await db.fetch_all("SELECT * FROM items")
        assert not await db.fetch_value(HAS_LEAKED)


async def test_a_verdict_of_somebody_elses_ddl_ends_in_time(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneiric_postgres.adapter.LIFETIME", 0.2)
    async with PostgresAdapter({**config, "pool_max_size": 1}) as db, PostgresAdapter(config) as other:
        await db.execute("CREATE TABLE items (id bigint)")
        for _ in range(3):
            await db.fetch_all("SELECT * FROM items")
        known = db._known("SELECT * FROM items")
        assert known.clean_until > 0
        await other.execute("DROP TABLE items")
        await other.execute(EVIL_FUNCTION)
        await other.execute("CREATE VIEW items AS SELECT evil(1)")
        async with asyncio.timeout(10):
            while known.clean_until > asyncio.get_running_loop().time():  # noqa: ASYNC110 - a clock
                await asyncio.sleep(0.01)
        for _ in range(3):
            await db.fetch_all("SELECT * FROM items")
        assert not await db.fetch_value(HAS_LEAKED)


async def test_the_setting_always_resets_after_each_use(config: dict[str, Any]) -> None:
    async with PostgresAdapter({**config, "pool_max_size": 1, "reset": "always"}) as db:
        async with db._session(None) as (session, _):
            await session.connection.execute("SET oneiric.leak = 'yes'")
            session.is_dirty = False  # it is said to be clean, and reset all the same
        assert not await db.fetch_value(HAS_LEAKED)


async def test_the_drivers_own_pool_has_other_connections(config: dict[str, Any]) -> None:
    async with PostgresAdapter({**config, "pool_max_size": 1}) as db:
        async with db.raw.acquire() as connection:
            await connection.execute("SET oneiric.leak = 'yes'")
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            assert await db.fetch_value("SELECT pg_backend_pid()") != pid
        assert not await db.fetch_value(HAS_LEAKED)


async def test_what_a_handles_raw_connection_was_used_for_is_reset(config: dict[str, Any]) -> None:
    async with PostgresAdapter({**config, "pool_max_size": 1}) as db:
        async with db.transaction() as tx:
            await tx.raw.execute("SET oneiric.leak = 'yes'")
        assert not await db.fetch_value(HAS_LEAKED)


async def test_a_session_that_was_left_in_a_transaction_is_rolled_back(config: dict[str, Any]) -> None:
    async with PostgresAdapter({**config, "pool_max_size": 1}) as db:
        await db.execute("CREATE TABLE t (id int)")
        async with db._session(None) as (session, _):
            await session.connection.execute("BEGIN; INSERT INTO t VALUES (1); SET LOCAL oneiric.leak = 'yes'")
        assert await db.fetch_value("SELECT count(*) FROM t") == 0
        assert not await db.fetch_value(HAS_LEAKED)


async def test_a_reset_leaves_the_drivers_prepared_statements(config: dict[str, Any]) -> None:
    async with PostgresAdapter({**config, "pool_max_size": 1}) as db:
        for _ in range(3):
            assert await db.fetch_value("SELECT $1::int", 7) == 7
            await db.execute("SET oneiric.leak = 'yes'")
        count = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::int'"
        assert await db.fetch_value(count) == 1
