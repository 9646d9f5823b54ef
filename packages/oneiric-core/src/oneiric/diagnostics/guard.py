"""A guard at the sockets of this process: whatever a driver resolves anew or is redirected to, some addresses aren't reached.

It is an audit hook of Python's, so it sees what is connected through Python's `socket` module, asyncio's own loops included.
It can't see a driver that opens its sockets in C (grpc, libpq, librdkafka, uvloop's), nor another process.
"""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oneiric.diagnostics.addresses import Address, address_of, name_of, why_never
from oneiric.errors import TargetRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


@dataclass(slots=True)
class Guard:
    """What a block of code may connect to, and what it was refused."""

    addresses: frozenset[Address] | None = None
    """The only addresses that it may; None for all but those that are never reached."""
    files: frozenset[str] = frozenset()
    """The only Unix sockets that it may, where `addresses` is not None."""
    refusals: list[TargetRefused] = field(default_factory=list)
    """Each refusal, as a driver may swallow the error or wrap it in its own."""

    def check(self, target: object) -> None:
        """Raise TargetRefused where the address of a socket, as `connect` takes it, may not be connected to."""
        reason = self._why_not(target)
        if reason is None:
            return
        shown = target[0] if isinstance(target, tuple) and target else "A Unix socket"
        refusal = TargetRefused(f"{str(shown)[:100]!r} may not be connected to: {reason}.")
        self.refusals.append(refusal)
        raise refusal

    def _why_not(self, target: object) -> str | None:
        if not isinstance(target, tuple):
            is_known = self.addresses is None or _text(target) in self.files
            return None if is_known else "the config doesn't name it"
        host = _text(target[0]) if target else ""
        address = address_of(host)
        if address is not None:
            is_known = self.addresses is None or address in self.addresses
            return why_never(address) or (None if is_known else "it is no address of a host that the config names")
        if name_of(host) in _LOCAL_NAMES and self.addresses is None:
            return None
        return "it is a name, and nobody sees which address the system takes it for"


_NO_GUARD = Guard()
_current: ContextVar[Guard | None] = ContextVar("oneiric_guard", default=None)
_is_for_good = False
_is_installed = False


@contextmanager
def guarded(guard: Guard) -> Iterator[Guard]:
    """Hold what runs in this block to the guard: its tasks and its `asyncio.to_thread` too, threads of a driver's own not."""
    _install()
    token = _current.set(guard)
    try:
        yield guard
    finally:
        _current.reset(token)


@contextmanager
def unguarded() -> Iterator[None]:
    """Let this block through: a plugin that resolves references may ask the machine's cloud for its own identity."""
    token = _current.set(_NO_GUARD)
    try:
        yield
    finally:
        _current.reset(token)


def refuse_for_good() -> None:
    """Refuse, from here on and in every thread of this process, what is never reached. There is no way back.

    Link-local addresses too, so a library that asks the machine's cloud for credentials no longer can.
    """
    global _is_for_good
    _install()
    _is_for_good = True


def _install() -> None:
    """Add the hook, once: an audit hook can't be removed."""
    global _is_installed
    if not _is_installed:
        _is_installed = True
        sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS:  # it is called for everything that Python audits
        return
    guard = _current.get() or (Guard() if _is_for_good else _NO_GUARD)
    if guard is _NO_GUARD or arguments[1] is None:
        return
    # A datagram is no request to a metadata service, and may be one to a resolver that has a link-local address.
    if arguments[0].type != socket.SOCK_DGRAM and arguments[0].family in (socket.AF_INET, socket.AF_INET6, _UNIX):
        guard.check(arguments[1])


_UNIX = getattr(socket, "AF_UNIX", None)


def _text(host: object) -> str:
    return bytes(host).decode(errors="replace") if isinstance(host, bytes | bytearray) else str(host)
