"""The conformance kit through PgBouncer in transaction mode. It comes in no wheel: CI installs Debian's package."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing.database import DatabaseSuite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from server import Server

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
ROLES = 10_000
"""More than there are tests, and examples of tests, that take a schema each."""
if PROGRAM is None or "ONEIRIC_WITHOUT_PGBOUNCER" in os.environ:
    reason = "NOT TESTED ON PGBOUNCER: it is not here, or left out for time. Run: apt-get install pgbouncer"
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="session")
def bouncer(server: Server) -> Iterator[int]:
    """A PgBouncer in front of the server; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="oneiric-bouncer-", dir="/tmp"))
    (folder / "users").write_text("".join(f'"test_{number}" ""\n' for number in range(ROLES)) + '"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {folder / 'users'}\n"
        "pool_mode = transaction\ndefault_pool_size = 8\nmax_client_conn = 500\nserver_idle_timeout = 1\n"
    )
    user: list[str] = []
    if os.geteuid() == 0:  # which PgBouncer refuses to run as
        nobody = pwd.getpwnam("nobody")
        user = ["-u", "nobody"]
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    assert PROGRAM is not None
    process = subprocess.Popen([PROGRAM, "-q", *user, folder / "ini"], stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < give_up, "PgBouncer doesn't listen."
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def config(server: Server, schema: str, bouncer: int) -> dict[str, Any]:
    """A role whose tables are in a schema of its own: PgBouncer passes no `search_path` on."""
    server.psql(f"CREATE ROLE {schema} SUPERUSER LOGIN; ALTER ROLE {schema} SET search_path = {schema}")
    return {
        "dsn": f"postgresql://{schema}@127.0.0.1:{bouncer}/postgres?sslmode=disable",
        "pgbouncer": True,
    }


class TestPostgres(DatabaseSuite):
    adapter_name = "postgres"

    @pytest.fixture
    def config(self, config: dict[str, Any], schema: str) -> dict[str, Any]:
        type(self).schema = schema
        return config
