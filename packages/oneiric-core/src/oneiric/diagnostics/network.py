"""The first stages of a connection: resolve a host, connect by TCP, shake hands for TLS. Nothing is sent beyond that."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from oneiric.diagnostics.addresses import Address, address_of, name_of, why_never
from oneiric.errors import ConnectionFailed, DeadlineExceeded, OneiricError, TargetRefused
from oneiric.lifecycle.patience import Late, called

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.adapters.targets import Endpoint

MAX_ADDRESSES = 16
"""How many addresses of a name are tried; all of them are checked."""

_MAX_NAME = 253
"""How many characters a host's name may have."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """An endpoint with the addresses that its host was found to have, each of them checked."""

    endpoint: Endpoint
    addresses: tuple[Address, ...]

    @property
    def name(self) -> str:
        """`db.internal:5432`"""
        return shown(self.endpoint)


def shown(endpoint: Endpoint) -> str:
    """`db.internal:5432`, `[::1]:5432`"""
    host = endpoint.host[:_MAX_NAME]
    return f"[{host}]:{endpoint.port}" if ":" in host and not host.startswith("[") else f"{host}:{endpoint.port}"


def refuse(endpoint: Endpoint, host: str | Address) -> None:
    """Raise TargetRefused where the host is one that is never reached."""
    reason = why_never(host)
    if reason:
        about = "" if isinstance(host, str) else f" It resolves to {host}:"
        message = f"{shown(endpoint)} is never connected to:{about} {reason}."
        raise TargetRefused(message, hint="Give the address of the backend itself.")


async def resolve(endpoint: Endpoint, seconds: float) -> Resolved:
    """Find all addresses of an endpoint's host, and check each.

    Raises TargetRefused where *any* of them is never reached, ConnectionFailed, DeadlineExceeded.
    """
    refuse(endpoint, endpoint.host)
    if not 0 < endpoint.port < 65536:
        raise ConnectionFailed("The port is not between 1 and 65535.", hint="Correct the port.", transient=False)
    address = address_of(endpoint.host)
    if address is not None:
        return Resolved(endpoint, (address,))
    if not (endpoint.host.isprintable() and 0 < len(endpoint.host) <= _MAX_NAME) or " " in endpoint.host:
        raise ConnectionFailed("The host is not a name that can be.", hint="Correct the host.", transient=False)
    addresses = await _looked_up(endpoint, seconds)
    for found in addresses:
        refuse(endpoint, found)
    return Resolved(endpoint, addresses)


async def _looked_up(endpoint: Endpoint, seconds: float) -> tuple[Address, ...]:
    try:
        answers = await called(socket.getaddrinfo, endpoint.host, endpoint.port, 0, socket.SOCK_STREAM, seconds=seconds)
    except Late:
        message = f"The name of {shown(endpoint)} was not resolved within {seconds:g} s."
        raise DeadlineExceeded(message, hint="Check this machine's DNS, or give an address.") from None
    except (OSError, ValueError, OverflowError) as error:  # UnicodeError: a label that is empty or too long
        message = f"The name of {shown(endpoint)} has no address."
        hint = "Correct the host, or check this machine's DNS."
        raise ConnectionFailed(message, hint=hint, transient=_is_transient(error)) from None
    found = (ip_address(str(address[0]).partition("%")[0]) for *_, address in answers)
    return tuple(dict.fromkeys(found))


def _is_transient(error: Exception) -> bool:
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN


async def connect(resolved: Resolved, seconds: float) -> socket.socket:
    """Open a TCP connection to the first of the checked addresses that answers. The caller closes it.

    Raises ConnectionFailed, DeadlineExceeded.
    """
    attempts = [
        asyncio.ensure_future(_attempt(address, resolved.endpoint.port))
        for address in resolved.addresses[:MAX_ADDRESSES]
    ]
    connection: socket.socket | None = None
    try:
        async with asyncio.timeout(seconds):
            connection = await _first(attempts)
    except TimeoutError:
        message = f"{resolved.name} did not answer within {seconds:g} s."
        raise DeadlineExceeded(message, hint="Check the address, and whether a firewall is between.") from None
    except OSError as error:
        raise _unreachable(resolved, error) from None
    finally:
        _drop(attempts, but=connection)
    return connection


async def _attempt(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection


async def _first(attempts: Sequence[asyncio.Future[socket.socket]]) -> socket.socket:
    """The first that succeeds; where none does, the first one's error."""
    for attempt in asyncio.as_completed(attempts):
        with contextlib.suppress(OSError):
            return await attempt
    return attempts[0].result()


def _drop(attempts: Sequence[asyncio.Future[socket.socket]], but: socket.socket | None) -> None:
    """End the attempts, and close what they have opened beside the one that is used.

    Waits for nothing: who waits can be cancelled, and would leave the rest open.
    """

    def close(attempt: asyncio.Future[socket.socket]) -> None:
        if not attempt.cancelled() and attempt.exception() is None and attempt.result() is not but:
            attempt.result().close()

    for attempt in attempts:
        attempt.cancel()
        attempt.add_done_callback(close)


def _unreachable(resolved: Resolved, error: OSError) -> OneiricError:
    if isinstance(error, OneiricError):  # a guard's refusal
        return error
    if isinstance(error, ConnectionRefusedError):
        message = f"{resolved.name} refuses the connection: nothing listens there."
        return ConnectionFailed(message, hint="Start the backend, or correct host and port.")
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    message = f"{resolved.name} can't be reached: {reason}."
    return ConnectionFailed(message, hint="Check the address, and the network between.")


async def shake_hands(resolved: Resolved, connection: socket.socket, seconds: float) -> str:
    """Do the TLS handshake on an open connection, the certificate verified, and drop it. Returns the protocol's version.

    Raises ConnectionFailed, DeadlineExceeded.
    """
    host = resolved.endpoint.host
    name = str(resolved.addresses[0]) if address_of(host) else name_of(host)
    try:
        async with asyncio.timeout(seconds):
            # Reading the system's authorities takes longer than the handshake.
            context = await asyncio.to_thread(ssl.create_default_context)
            _, writer = await asyncio.open_connection(
                sock=connection, ssl=context, server_hostname=name, ssl_handshake_timeout=seconds + 1
            )
    except TimeoutError:
        message = f"{resolved.name} did not finish the TLS handshake within {seconds:g} s."
        raise DeadlineExceeded(message, hint=_NO_TLS) from None
    except (OSError, ValueError) as error:
        raise _tls_failed(resolved, error) from None
    version = str(writer.get_extra_info("ssl_object").version())
    writer.transport.abort()  # a polite end would wait for the server's
    return version


_NO_TLS = "Check that the port is the one for TLS."
_CERTIFICATE = {
    9: ("its certificate is not valid yet", "Check the clocks of both machines."),
    10: ("its certificate has expired", "Renew the server's certificate."),
    18: ("its certificate is signed by itself", "Add it to the authorities that this machine trusts."),
    62: ("its certificate is for another name", "Connect by a name that the certificate has."),
    64: ("its certificate is for another address", "Connect by a name that the certificate has."),
}
"""Our sentence for each of OpenSSL's X509_V_ERR codes."""
_UNTRUSTED = (
    "an authority that this machine doesn't trust signed its certificate",
    "Add that authority to the system's.",
)


def _tls_failed(resolved: Resolved, error: Exception) -> ConnectionFailed:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason, hint = _CERTIFICATE.get(error.verify_code, _UNTRUSTED)
    elif isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        reason, hint = "what it speaks there is not TLS, or no version of it that we share", _NO_TLS
    else:
        reason, hint = "it closed the connection in the middle of the handshake", _NO_TLS
    return ConnectionFailed(f"The TLS of {resolved.name} fails: {reason}.", hint=hint, transient=False)
