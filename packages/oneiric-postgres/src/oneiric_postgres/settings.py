"""What the adapters need to know; imports no driver."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.database import DURABLE
from oneiric.adapters.targets import Endpoint, Targets
from pydantic import AfterValidator, Field, FiniteFloat, SecretStr, model_validator

from oneiric_postgres.server import PORT, Dsn, SslMode, parse


def _check_dsn(url: str) -> str:
    parse(url)
    return url


def _check_text(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError("it is empty, or holds a NUL character")
    return text


_Text = Annotated[str, AfterValidator(_check_text)]
_Seconds = Annotated[FiniteFloat, Field(gt=0, le=86_400)]


class ServerSettings(AdapterSettings):
    """Which server, and how its connections are used: what all adapters of this package have in common."""

    dsn: Annotated[str, AfterValidator(_check_dsn)] | None = None
    """`postgresql://user@host:5432/database`; its password is better given apart. Or `embedded://` or `embedded:///path`: a
    server from a wheel (extra `embedded`), started here."""

    host: _Text | None = None
    """Without a `dsn`: the server's name or address, or the directory of its Unix socket."""

    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Without a `dsn`: its port; 5432 where none is given."""

    database: _Text | None = None
    """Without a `dsn`: the database; the user's name where none is given."""

    user: _Text | None = None
    """Without a `dsn`: the role; the operating system's user where none is given."""

    password: SecretStr | None = None
    """The role's password, where the `dsn` has none."""

    sslmode: SslMode | None = None
    """TLS as libpq has it: `disable`, `prefer`, `require` (encrypted, no certificate checked), `verify-ca`, `verify-full` (and
    it is the host's). Without it what the `dsn` says, else `prefer`."""

    sslrootcert: _Text | None = None
    """The file of the authorities that `verify-ca` and `verify-full` trust; the system's own where none is given."""

    sslcert: _Text | None = None
    """The file of the client's certificate, for servers that ask for one."""

    sslkey: _Text | None = None
    """The file of its key, where that isn't in `sslcert`; it has no passphrase."""

    pool_min_size: Annotated[int, Field(ge=0, le=1000)] = 1
    """How many connections are opened by `init()` and kept."""

    pool_max_size: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many connections there are at most; calls beyond them wait."""

    timeout: _Seconds = 30.0
    """How many seconds a call may take where it isn't told otherwise, waiting for a connection included."""

    connect_timeout: _Seconds = 10.0
    """How many seconds connecting may take, with TLS and the password; `init()` too."""

    acquire_timeout: _Seconds = 30.0
    """How many of a call's seconds may go into waiting for a free connection."""

    pgbouncer: bool = False
    """For PgBouncer in transaction mode: no prepared statement is kept, and what would change the session is refused."""

    read_only: bool = False
    """Every transaction is read-only, enforced by the server; statements that could switch that off are refused."""

    reset: Literal["dirty", "always"] = "dirty"
    """`dirty`: a connection's session is reset when it was, or may have been, changed. `always`: after each use, as asyncpg's
    own pool does, at half the speed."""

    search_path: _Text | None = None
    """The schemas in which names are looked up, as `SET search_path` takes them: `app, public`."""

    application_name: _Text = "oneiric"
    """What `pg_stat_activity` calls our connections."""

    @model_validator(mode="after")
    def _one_server(self) -> Self:
        if self.dsn is None and self.host is None:
            raise ValueError("give a `dsn`, or a `host`")
        given = [name for name in ("host", "port", "database", "user") if getattr(self, name) is not None]
        if self.dsn is not None and given:
            raise ValueError(f"`dsn` says it all; leave out {', '.join(f'`{name}`' for name in given)}")
        if self.password is not None and self.server.password is not None:
            raise ValueError("the `dsn` has a password already; leave out one of them")
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("`pool_min_size` is at most `pool_max_size`")
        return self

    @property
    def server(self) -> Dsn:
        """What `dsn`, or the parts in its place, say."""
        if self.dsn is not None:
            return parse(self.dsn)
        return Dsn(host=self.host, port=self.port, database=self.database, user=self.user)

    @property
    def is_embedded(self) -> bool:
        """Whether the server is one that we start."""
        return self.server.is_embedded

    def targets(self) -> Targets:
        """The server, and the files that are read to reach it. TLS is negotiated after connecting: the driver tries that."""
        server = self.server
        if server.is_embedded:
            return Targets(files=(server.path,) if server.path else ())
        host, port = server.host or "localhost", server.port or PORT
        named = (
            self.sslrootcert or server.sslrootcert,
            self.sslcert or server.sslcert,
            self.sslkey or server.sslkey,
        )
        files = tuple(file for file in named if file)
        if host.startswith("/"):
            return Targets(files=(f"{host}/.s.PGSQL.{port}", *files))
        return Targets(endpoints=(Endpoint(host, port),), files=files)


class PostgresSettings(ServerSettings):
    """Which database, and how it is used."""

    def lacks(self) -> frozenset[str]:
        """An embedded server without a path keeps nothing."""
        return frozenset({DURABLE}) if self.is_embedded and self.server.path is None else frozenset()
