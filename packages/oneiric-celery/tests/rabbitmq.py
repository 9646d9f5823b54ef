"""A RabbitMQ of one's own, from the system's package: none comes as a wheel."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import amqp

PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/homebrew/sbin/rabbitmq-server")
STARTS_WITHIN = 60.0


def program() -> str | None:
    """Where its program is; not the one in the PATH of Debian, which has to be root's."""
    return next((path for path in PROGRAMS if Path(path).exists()), None) or (
        shutil.which("rabbitmq-server") if os.geteuid() else None
    )


class RabbitMQ:
    """A server on files of its own, that can be killed and started again on them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self._distribution = _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        folder = self._folder
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"oneiric-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        with (folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [str(program())], env=environment, stdout=out, stderr=out, start_new_session=True
            )
        give_up = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            assert self._process.poll() is None, (folder / "out").read_text()
            assert time.monotonic() < give_up, "RabbitMQ doesn't start."
            time.sleep(0.1)

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=2):
                return True
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
