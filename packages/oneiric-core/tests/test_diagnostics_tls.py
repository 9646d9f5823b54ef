"""The stage of TLS, with real certificates."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from scripted_connection import Scripted, check, nova, port_of, stages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("scripted")


AUTHORITY = trustme.CA()


@contextlib.asynccontextmanager
async def tls_server(certificate: trustme.LeafCert | trustme.CA) -> AsyncIterator[int]:
    """The port of a server that presents this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if isinstance(certificate, trustme.CA):  # which has signed itself
        with certificate.private_key_pem.tempfile() as key, certificate.cert_pem.tempfile() as chain:
            context.load_cert_chain(chain, key)
    else:
        certificate.configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield port_of(server.sockets[0])
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def plain_server(does: str) -> AsyncIterator[int]:
    """The port of a server that does this with whoever connects."""
    done = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if does == "speaks":
            writer.write(b"HTTP/1.1 400 hunter2\r\n\r\n")
            await writer.drain()
        if does == "resets":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if does == "stays silent":
            await done.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield port_of(server.sockets[0])
    finally:
        done.set()
        server.close()
        await server.wait_closed()


class TestTls:
    @pytest.fixture(autouse=True)
    def _trusted(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Make this machine trust AUTHORITY."""
        AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    async def test_a_certificate_that_is_right(self):
        async with tls_server(AUTHORITY.issue_cert("localhost")) as port:
            result = await check(nova(hosts=["localhost"], port=port, tls=True))
        assert stages(result) == "rctap", result
        assert result.stages[2].detail == "TLSv1.3"

    async def test_one_for_an_address(self):
        async with tls_server(AUTHORITY.issue_cert("127.0.0.1")) as port:
            assert (await check(nova(hosts=["127.0.0.1"], port=port, tls=True))).success

    @pytest.mark.parametrize(
        ("certificate", "reason"),
        [
            (lambda: trustme.CA().issue_cert("localhost"), "an authority that this machine doesn't trust signed its"),
            (trustme.CA, "its certificate is signed by itself"),
            (lambda: AUTHORITY.issue_cert("other.example.com"), "its certificate is for another name"),
            (
                lambda: AUTHORITY.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1)),
                "its certificate has expired",
            ),
            (
                lambda: AUTHORITY.issue_cert(
                    "localhost",
                    not_before=datetime.now(UTC) + timedelta(days=1),
                    not_after=datetime.now(UTC) + timedelta(days=2),
                ),
                "its certificate is not valid yet",
            ),
        ],
    )
    async def test_one_that_is_not(self, certificate: Callable[[], Any], reason: str):
        async with tls_server(certificate()) as port:
            result = await check(nova(hosts=["localhost"], port=port, tls=True))
        assert (stages(result), result.error_class) == ("rcT--", "ConnectionFailed")
        assert result.error is not None
        assert result.error.startswith(f"The TLS of localhost:{port} fails: {reason}")
        assert result.next_step
        assert Scripted.log == []

    @pytest.mark.parametrize(
        ("does", "reason"),
        [
            ("speaks", "what it speaks there is not TLS"),
            ("resets", "it closed the connection in the middle of the handshake"),
            ("closes", "it closed the connection in the middle of the handshake"),
        ],
    )
    async def test_a_server_that_does_not_speak_it(self, does: str, reason: str):
        async with plain_server(does) as port:
            result = await check(nova(hosts=["localhost"], port=port, tls=True))
        assert stages(result) == "rcT--"
        assert reason in str(result.error)
        assert result.next_step == "Check that the port is the one for TLS."
        assert "hunter2" not in result.model_dump_json()

    async def test_a_server_that_stays_silent(self):
        async with plain_server("stays silent") as port:
            result = await check(nova(hosts=["localhost"], port=port, tls=True), timeout=0.2)
        assert (stages(result), result.error_class) == ("rcT--", "DeadlineExceeded")
