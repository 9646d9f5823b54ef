"""The schema that the collections are in: made once, by whoever comes first, and of a version that is looked at.

Many processes may come at once: what is to be made is made under a lock, and looked for again once that is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
from oneiric.errors import AuthenticationFailed, Unsupported

from oneiric_postgres.vector.collection import quoted
from oneiric_postgres.vector.transactions import transaction

if TYPE_CHECKING:
    from typing import Any

VERSION = 1
"""Of the tables below; whoever changes them raises it, and writes how to get there from the one before."""
OLDEST_PGVECTOR = (0, 8)
"""The first with iterative scans."""

_LOCK = 0x6F6E656972696300
"""Of PostgreSQL's advisory locks, the one under which extension and schema are made."""

_EXTENSION = """
SELECT n.nspname AS schema, e.extversion AS version
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
"""


async def prepare(connection: asyncpg.Connection, schema: str) -> str:
    """See that the extension and the tables are there, and make what isn't. Returns the schema that the extension is in.

    Raises Unsupported where pgvector isn't installed or is too old, or the tables are of a newer version than this;
    AuthenticationFailed where the role may not make what is missing.
    """
    try:
        extension = await connection.fetchrow(_EXTENSION)
        if extension is None or not await _is_there(connection, schema):
            await _make(connection, schema)
            extension = await connection.fetchrow(_EXTENSION)
    except asyncpg.InsufficientPrivilegeError as error:
        raise _not_allowed(schema) from error
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
        raise Unsupported(
            "The server has no pgvector.",
            hint="Install it there (a package such as postgresql-18-pgvector), or use a server that has it.",
        ) from error
    return _checked(extension)


async def _make(connection: asyncpg.Connection, schema: str) -> None:
    async with transaction(connection):
        await connection.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchrow(_EXTENSION) is None:
            await connection.execute("CREATE EXTENSION vector")
        if await _is_there(connection, schema):
            return
        # Not IF NOT EXISTS: that asks for the right to make schemas, though there is nothing to make.
        if await connection.fetchval("SELECT pg_catalog.to_regnamespace($1)", quoted(schema)) is None:
            await connection.execute(f"CREATE SCHEMA {quoted(schema)}")
        await connection.execute(_tables(quoted(schema)))


async def _is_there(connection: asyncpg.Connection, schema: str) -> bool:
    """Whether the tables are there, in our version."""
    versions = f"{quoted(schema)}.schema_version"
    if await connection.fetchval("SELECT pg_catalog.to_regclass($1)", versions) is None:
        return False
    version = await connection.fetchval(f"SELECT version FROM {versions}")  # noqa: S608 - a quoted name
    if version is not None and version > VERSION:
        raise Unsupported(
            f"The collections in the schema {schema!r} are of version {version}; this oneiric-postgres knows {VERSION}.",
            hint="Upgrade oneiric-postgres, or set another `schema_name`.",
        )
    return bool(version == VERSION)


def _tables(schema: str) -> str:
    return f"""
        CREATE TABLE {schema}.schema_version (version int NOT NULL);
        INSERT INTO {schema}.schema_version VALUES ({VERSION});
        CREATE TABLE {schema}.collections (
            number int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            name text COLLATE "C" NOT NULL UNIQUE,
            dimension int NOT NULL,
            distance text NOT NULL,
            halfvec boolean NOT NULL
        );
    """  # noqa: S608 - a quoted name


def _checked(extension: Any) -> str:
    version = tuple(int(part) for part in extension["version"].split(".")[:2] if part.isdigit())
    if version < OLDEST_PGVECTOR:
        raise Unsupported(
            f"The database has pgvector {extension['version']}; it takes 0.8 or later.",
            hint="Run `ALTER EXTENSION vector UPDATE` as its owner, once the server has a later one.",
        )
    return str(extension["schema"])


def _not_allowed(schema: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"The role may not make the extension `vector`, or the schema {schema!r} and its tables.",
        hint="Let the database's owner run `CREATE EXTENSION vector`, and GRANT the role CREATE on the database; or run "
        "`init()` once as the owner.",
    )
