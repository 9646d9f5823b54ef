"""Reaching the server: credentials, TLS, what it refuses, and errors that say what to do."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from oneiric.errors import AuthenticationFailed, ConfigError, ConnectionFailed, DeadlineExceeded, QueryError
from oneiric_postgres import PostgresAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from server import Server

PASSWORD = "c4n4ry-p@ss/w%rd"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def root(authority: trustme.CA, tmp_path: Path) -> str:
    """The file of the authority."""
    authority.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    return str(tmp_path / "root.pem")


@pytest.fixture(scope="module")
def port(guarded: Server) -> int:
    """The server, with its roles."""
    for role in ("app", "limited"):
        guarded.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    guarded.psql("CREATE DATABASE closed")
    guarded.psql("REVOKE CONNECT ON DATABASE closed FROM public")
    guarded.psql("ALTER ROLE limited CONNECTION LIMIT 1")
    guarded.psql("CREATE TABLE secret (v text)")
    (guarded.data / "pg_hba.conf").write_text(
        "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    guarded.psql("SELECT pg_reload_conf()")
    return guarded.port


@pytest.fixture
def settings(port: int) -> dict[str, Any]:
    parts = {"host": "127.0.0.1", "port": port, "database": "postgres", "user": "app", "password": PASSWORD}
    return {**parts, "pool_max_size": 2}


@pytest.fixture
async def front(port: int, authority: trustme.CA, tls_front: Any) -> AsyncIterator[Any]:
    """TLS in front of it: the wheel's server is built without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    async with tls_front(port, context) as front:
        front.context = context
        yield front


async def refused(settings: dict[str, Any]) -> Any:
    """The error with which init() fails; it shows no password, and nothing is left open."""
    db = PostgresAdapter(settings)
    db.name = "orders"
    with pytest.raises((ConnectionFailed, AuthenticationFailed, DeadlineExceeded, ConfigError)) as raised:
        await db.init()
    await db.cleanup()
    error = raised.value
    assert PASSWORD not in f"{error} {error!r} {error.__cause__} {error.__cause__!r}"
    assert "wrong-c4n4ry" not in f"{error} {error!r} {error.__cause__}"
    return error


async def works(settings: dict[str, Any]) -> bool:
    async with PostgresAdapter(settings) as db:
        return bool(await db.health()) and await db.fetch_value("SELECT 7") == 7


@pytest.mark.parametrize("sslmode", ["disable", "prefer", "require", None])
async def test_tls_as_it_is_asked_for(settings: dict[str, Any], front: Any, sslmode: str | None) -> None:
    assert await works({**settings, "port": front.port, "sslmode": sslmode})
    assert (front.encrypted > 0, front.plain > 0) == ((False, True) if sslmode == "disable" else (True, False))


async def test_to_prefer_tls_is_to_do_without_it(settings: dict[str, Any]) -> None:
    assert await works(settings)
    error = await refused({**settings, "sslmode": "require"})
    assert isinstance(error, ConnectionFailed)


async def test_a_password_in_the_dsn(port: int) -> None:
    assert await works({"dsn": f"postgresql://app:c4n4ry-p%40ss%2Fw%25rd@127.0.0.1:{port}/postgres"})
    dsn = f"postgres://app@127.0.0.1:{port}/postgres?sslmode=disable"
    assert await works({"dsn": dsn, "password": PASSWORD})


async def test_a_wrong_password(settings: dict[str, Any]) -> None:
    error = await refused({**settings, "password": "wrong-c4n4ry"})
    assert isinstance(error, AuthenticationFailed)
    assert not error.transient
    assert error.adapter == "orders"
    assert "password" in str(error.hint)


async def test_no_password_is_none_of_the_environments(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A config that somebody sends names the host, and must not get the secrets of whoever runs it."""
    (tmp_path / "pgpass").write_text(f"*:*:*:*:{PASSWORD}")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    monkeypatch.setenv("PGUSER", "postgres")
    assert isinstance(await refused({**settings, "password": None}), AuthenticationFailed)


async def test_an_unknown_role(settings: dict[str, Any]) -> None:
    error = await refused({**settings, "user": "nobody_knows"})
    assert isinstance(error, AuthenticationFailed)


async def test_a_database_that_is_not_there(settings: dict[str, Any]) -> None:
    error = await refused({**settings, "database": "nowhere"})
    assert isinstance(error, ConnectionFailed)
    assert not error.transient
    assert "database" in str(error)


async def test_a_database_that_the_role_may_not_enter(settings: dict[str, Any]) -> None:
    error = await refused({**settings, "database": "closed"})
    assert isinstance(error, AuthenticationFailed)
    assert "42501" in str(error)


async def test_a_certificate_that_is_verified(settings: dict[str, Any], front: Any, root: str, tmp_path: Path) -> None:
    tls = {**settings, "port": front.port}
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    for mode in ("verify-ca", "verify-full"):
        assert await works({**tls, "sslmode": mode, "sslrootcert": root})
        for wrong in (None, str(other)):  # the system's own authorities don't vouch for it either
            error = await refused({**tls, "sslmode": mode, "sslrootcert": wrong})
            assert isinstance(error, ConnectionFailed)
            assert not error.transient
            assert "certificate" in str(error)


async def test_verify_full_wants_the_hosts_own_certificate(settings: dict[str, Any], front: Any, root: str) -> None:
    by_name = {**settings, "host": "localhost", "port": front.port, "sslrootcert": root}
    assert await works({**by_name, "sslmode": "verify-ca"})
    error = await refused({**by_name, "sslmode": "verify-full"})
    assert isinstance(error, ConnectionFailed)
    assert not error.transient


async def test_a_clients_certificate(
    settings: dict[str, Any], front: Any, authority: trustme.CA, tmp_path: Path
) -> None:
    front.context.verify_mode = ssl.CERT_REQUIRED
    own = authority.issue_cert(common_name="app")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    tls = {**settings, "port": front.port, "sslmode": "require"}
    assert await works({**tls, "sslcert": str(tmp_path / "both.pem")})
    assert await works({**tls, "sslcert": str(tmp_path / "cert.pem"), "sslkey": str(tmp_path / "key.pem")})
    assert isinstance(await refused(tls), ConnectionFailed)


@pytest.mark.parametrize("setting", ["sslrootcert", "sslcert", "sslkey"])
async def test_a_file_that_can_not_be_used(settings: dict[str, Any], tmp_path: Path, setting: str) -> None:
    (tmp_path / "wrong.pem").write_text("This is no certificate.")
    files = {"sslcert": str(tmp_path / "wrong.pem"), setting: str(tmp_path / "wrong.pem")}
    assert isinstance(await refused({**settings, **files, "sslmode": "verify-ca"}), ConfigError)
    files[setting] = str(tmp_path / "nowhere.pem")
    assert isinstance(await refused({**settings, **files, "sslmode": "verify-ca"}), ConfigError)


async def test_too_many_connections(settings: dict[str, Any]) -> None:
    """They pass: somebody else will leave."""
    limited = {**settings, "user": "limited"}
    async with PostgresAdapter(limited):
        error = await refused(limited)
        assert isinstance(error, ConnectionFailed)
        assert error.transient
        assert "pool_max_size" in str(error.hint)
    assert await works(limited)


async def test_a_port_that_speaks_something_else(settings: dict[str, Any]) -> None:
    answered: list[asyncio.Task[None] | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.append(asyncio.current_task())
        with suppress(OSError):
            await reader.read(8)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        for mode in ("disable", "require", "prefer"):
            error = await refused({**settings, "port": port, "sslmode": mode, "connect_timeout": 2})
            assert isinstance(error, ConnectionFailed | DeadlineExceeded)
        await asyncio.wait(filter(None, answered))


async def test_a_name_that_does_not_resolve(settings: dict[str, Any]) -> None:
    assert isinstance(await refused({**settings, "host": "no-such-host.invalid"}), ConnectionFailed)


async def test_a_role_without_rights(settings: dict[str, Any]) -> None:
    async with PostgresAdapter(settings) as db:
        with pytest.raises(QueryError, match="42501") as raised:
            await db.fetch_all("SELECT * FROM secret")
        assert "GRANT" in str(raised.value.hint)


async def test_a_search_path_that_can_not_be(settings: dict[str, Any]) -> None:
    assert isinstance(await refused({**settings, "search_path": 'a "b'}), ConnectionFailed)


async def test_errors_repeat_no_value(settings: dict[str, Any]) -> None:
    canary = "c4n4ry-value"
    async with PostgresAdapter(settings) as db:
        for sql, values in {
            "SELECT CAST($1::text AS int)": (canary,),
            "SELECT CAST($1::text AS timestamptz)": (canary,),
            "SELECT CAST($1::text AS json)": (canary,),
            "SELECT CAST($1::text AS inet)": (canary,),
            "SELECT CAST($1::text AS regclass)": (canary,),
            "SELECT CAST($1::text AS int[])": (canary,),
            "SELECT set_config('TimeZone', $1, true)": (canary,),
            "SELECT to_date($1, 'YYYY')": (canary,),
            "SELECT $1::int": (canary,),
            "SELECT $1::uuid": (canary,),
            "SELECT $1::timestamptz": (canary,),
            "SELECT $1::varchar(3)::int": (canary,),
        }.items():
            with pytest.raises(QueryError) as raised:
                await db.fetch_value(sql, *values)
            assert canary not in f"{raised.value} {raised.value!r}", sql
        with pytest.raises(QueryError) as raised:
            await db.execute(f"DO $$BEGIN RAISE EXCEPTION '{canary}'; END$$")
        assert canary not in f"{raised.value}"


def test_the_systems_authorities_are_the_default() -> None:
    """A context of ours, and not one that reads ~/.postgresql or the environment."""
    from oneiric_postgres.connecting import arguments
    from oneiric_postgres.settings import PostgresSettings

    settings = PostgresSettings(dsn="postgresql://app@db.internal/orders?sslmode=verify-full")
    context = arguments(settings, settings.server)["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
