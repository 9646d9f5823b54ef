"""`rediss://`: a certificate is checked against the authorities that are trusted, and against the host's name."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from oneiric.errors import ConnectionFailed
from oneiric.testing.tls import tls_before
from oneiric_redis_pubsub import RedisMessageAdapter, RedisStreamAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oneiric.testing.valkey import ValkeyServer


@pytest.fixture
async def tls_port(server: ValkeyServer, tmp_path: Path) -> AsyncIterator[int]:
    """A port where TLS ends before the server; `ca.pem` is its authority, and its certificate is that of 127.0.0.1."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "another.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async with tls_before(server.port, context) as port:
        yield port


async def test_a_server_of_a_trusted_authority_is_used(tls_port: int, tmp_path: Path, queue: str) -> None:
    settings = {"url": f"rediss://127.0.0.1:{tls_port}", "tls_ca_file": str(tmp_path / "ca.pem")}
    async with RedisMessageAdapter(settings) as bus:
        assert await bus.publish(queue, {"n": 1})


@pytest.mark.parametrize(
    ("host", "authority"), [("127.0.0.1", "another.pem"), ("127.0.0.1", None), ("localhost", "ca.pem")]
)
async def test_a_certificate_that_is_not_to_be_trusted_is_refused(
    tls_port: int, tmp_path: Path, host: str, authority: str | None
) -> None:
    ca = {"tls_ca_file": str(tmp_path / authority)} if authority else {}
    bus = RedisMessageAdapter({"url": f"rediss://{host}:{tls_port}", **ca})
    with pytest.raises(ConnectionFailed, match="not to be trusted") as raised:
        await bus.init()
    assert not raised.value.transient
    await bus.cleanup()


async def test_the_name_of_the_host_may_be_left_unchecked(tls_port: int, tmp_path: Path) -> None:
    settings = {"url": f"rediss://localhost:{tls_port}", "tls_ca_file": str(tmp_path / "ca.pem")}
    async with RedisMessageAdapter({**settings, "tls_check_hostname": False}) as bus:
        assert await bus.health()


@pytest.mark.parametrize("adapter", [RedisMessageAdapter, RedisStreamAdapter])
async def test_an_embedded_server_takes_the_place_of_one_with_a_password_and_tls(
    adapter: type[RedisMessageAdapter | RedisStreamAdapter],
) -> None:
    """The URL is the only change."""
    login = {"username": "app", "password": "hunter2", "tls_ca_file": "/etc/ca.pem"}
    async with adapter({"url": "embedded://", "connect_timeout": 30, **login}) as bus:
        assert await bus.publish("events", {"n": 1})
