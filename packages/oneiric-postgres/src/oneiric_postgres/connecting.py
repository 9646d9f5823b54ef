"""Opening one connection, from the settings alone: nothing of the environment that libpq would read."""

from __future__ import annotations

import getpass
import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from oneiric.errors import ConfigError

from oneiric_postgres.server import PORT

if TYPE_CHECKING:
    from oneiric_postgres.server import Dsn
    from oneiric_postgres.settings import ServerSettings

_STATEMENTS = 256
"""How many prepared statements a connection keeps."""


def arguments(settings: ServerSettings, server: Dsn) -> dict[str, Any]:
    """What `asyncpg.connect` takes for these settings; `server` is that of the settings, or one that was started for them.

    Each is given, if only as empty: for what isn't, asyncpg looks into PGPASSWORD and its like, or ~/.pgpass, and would send
    the secrets of this machine's user to whatever host a config names.
    """
    password = settings.password.get_secret_value() if settings.password else server.password
    user = server.user or settings.user or getpass.getuser()
    session = {"application_name": server.application_name or settings.application_name}
    if settings.search_path is not None:
        session["search_path"] = settings.search_path
    if settings.read_only and not settings.pgbouncer:  # PgBouncer refuses a parameter that it doesn't know
        session["default_transaction_read_only"] = "on"
    return {
        "host": server.host or "localhost",
        "port": server.port or PORT,
        "user": user,
        "password": password or "",
        "database": server.database or user,
        "ssl": _tls(settings, server),
        "timeout": settings.connect_timeout,
        "statement_cache_size": 0 if settings.pgbouncer else _STATEMENTS,
        "max_cached_statement_lifetime": 0,  # the timer of each costs more than the statement
        "target_session_attrs": "any",
        "server_settings": session,
    }


async def connect(given: dict[str, Any]) -> asyncpg.Connection:
    """Open a connection, whose json and jsonb are Python's own values."""
    connection = await asyncpg.connect(**given)
    try:
        await set_codecs(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def set_codecs(connection: asyncpg.Connection) -> None:
    """Teach a connection what json and jsonb are; in binary, as COPY takes nothing else. No round trip."""
    await connection.set_type_codec("json", encoder=_as_json, decoder=json.loads, schema="pg_catalog", format="binary")
    await connection.set_type_codec("jsonb", encoder=_as_jsonb, decoder=_of_jsonb, schema="pg_catalog", format="binary")


def _as_json(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def _as_jsonb(value: object) -> bytes:
    return b"\x01" + _as_json(value)  # the version of jsonb's format


def _of_jsonb(data: bytes) -> Any:
    return json.loads(data[1:])


def _tls(settings: ServerSettings, server: Dsn) -> ssl.SSLContext | str | bool:
    mode = settings.sslmode or server.sslmode or "prefer"
    root, cert = settings.sslrootcert or server.sslrootcert, settings.sslcert or server.sslcert
    if mode == "disable" or (server.host or "").startswith("/"):
        return False
    if mode == "prefer" and not (root or cert):
        return "prefer"  # asyncpg's own, as it has to try a second time without
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
    try:
        if root:
            context.load_verify_locations(cafile=str(Path(root).expanduser()))
        elif mode.startswith("verify"):
            context.load_default_certs()
        if cert:
            key = settings.sslkey or server.sslkey
            context.load_cert_chain(
                str(Path(cert).expanduser()), str(Path(key).expanduser()) if key else None, password=lambda: ""
            )
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"The files of `sslrootcert`, `sslcert` or `sslkey` can't be used: {error.strerror or type(error).__name__}.",
            hint="They are PEM files that this process may read; a key has no passphrase.",
        ) from error
    return context
