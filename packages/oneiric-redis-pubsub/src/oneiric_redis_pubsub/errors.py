"""From the driver's errors, and the server's, to Oneiric's."""

from __future__ import annotations

import re
import ssl

from oneiric.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidMessage,
    MessagingError,
    OneiricError,
    Unsupported,
)
from redis import exceptions as driver

_CODE = re.compile(r"[A-Z][A-Z]+\b")


class WrongType(MessagingError):
    """A key that should be a stream, or is ours, is something else."""


def translated(error: BaseException, adapter: str | None) -> OneiricError:
    """Oneiric's error for what came out of a connection. No sentence of the server's is repeated: it may quote a value."""
    ours = error if isinstance(error, OneiricError) else _translated(error)
    if ours.adapter is None:
        ours.adapter = adapter
    return ours


def code_of(error: BaseException) -> str:
    """The word that a server's error begins with: `NOGROUP`, `WRONGTYPE`, `OOM`."""
    status = getattr(error, "status_code", None)
    if status:
        return str(status)
    found = _CODE.match(str(error))
    return found[0] if found else ""


def _translated(error: BaseException) -> OneiricError:
    code = code_of(error)
    if code in ("NOAUTH", "WRONGPASS") or isinstance(error, driver.AuthenticationError):
        hint = "Check `username` and `password`."
        return AuthenticationFailed(f"The server refuses the credentials ({code or 'AUTH'}).", hint=hint)
    if code == "NOPERM":
        hint = "Its ACL has to allow the commands, keys and channels that the README lists."
        return AuthenticationFailed("The server's ACL doesn't let this user do that (NOPERM).", hint=hint)
    if code == "OOM":
        hint = "Free some, raise its `maxmemory`, or let consumers catch up."
        return MessagingError("The server's memory is full (OOM); nothing was written.", hint=hint, transient=True)
    if code in ("READONLY", "UNBLOCKED"):
        hint = "It is a replica, perhaps after a failover."
        return ConnectionFailed(f"The server takes no writes ({code}).", hint=hint)
    if code in ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY") or isinstance(
        error, driver.BusyLoadingError
    ):
        return ConnectionFailed(f"The server isn't ready ({code or 'LOADING'}).")
    if code in ("MOVED", "ASK", "CROSSSLOT"):
        return Unsupported("The server is part of a Redis Cluster, which this adapter can't use.")
    if code in ("MISCONF", "NOREPLICAS"):
        hint = "Look into the server's log: it can't save, or has too few replicas."
        return MessagingError(f"The server takes no writes ({code}); nothing was written.", hint=hint, transient=True)
    if code == "WRONGTYPE":
        hint = "Choose another queue's name or `prefix`, or remove that key."
        return WrongType("Something else is stored under a key that this queue uses (WRONGTYPE).", hint=hint)
    return _of_the_connection(error, code)


def _of_the_connection(error: BaseException, code: str) -> OneiricError:
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        hint = "Check `tls_ca_file` and the host's name."
        return ConnectionFailed("The server's certificate is not to be trusted.", hint=hint, transient=False)
    if isinstance(error, driver.TimeoutError | TimeoutError):
        return DeadlineExceeded("The server didn't answer in time.")
    if isinstance(error, driver.ResponseError):
        if "unknown command" in str(error):
            return Unsupported("The server lacks a command that is needed: Redis 7 or Valkey 8 is the least.")
        if "too big" in str(error) or "too large" in str(error):
            return InvalidMessage("The server refuses a message of this size.")
        return MessagingError(f"The server refuses the command ({code or 'ERR'}).")
    if isinstance(error, driver.ConnectionError | driver.InvalidResponse | OSError | EOFError):
        return ConnectionFailed("The server can't be reached, or has closed the connection.")
    return MessagingError(f"The driver raised {type(error).__name__}.")
