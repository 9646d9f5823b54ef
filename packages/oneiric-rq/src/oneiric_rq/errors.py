"""From the driver's errors to Oneiric's. What the broker says is not repeated: it may quote a command, and with it a value."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from oneiric.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectionFailed,
    DeadlineExceeded,
    OneiricError,
    QueueError,
)
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED = (AuthenticationError, AuthorizationError, NoPermissionError)
_NOT_NOW = {
    BusyLoadingError: "The broker is still loading its data.",
    ReadOnlyError: "The broker is a replica, which takes no tasks.",
    OutOfMemoryError: "The broker's memory is full; nothing was done.",
}
_WRONG_PASSWORD = ("NOAUTH", "WRONGPASS", "invalid username-password", "invalid password", "Authentication required")


class CleanedUp(Exception):
    """The adapter was cleaned up before the call was done."""


def translated(error: Exception, adapter: str | None) -> Exception:
    """Oneiric's error for one of the driver's; another is given back as it is."""
    ours = _translated(error)
    if ours is None:
        return error
    if ours.adapter is None:
        ours.adapter = adapter
    return ours


def _translated(error: Exception) -> OneiricError | None:
    if isinstance(error, OneiricError):
        return error
    if isinstance(error, TimeoutError | RedisTimeout):
        return DeadlineExceeded("The broker didn't answer in time; whether it has done what it was told is not known.")
    if isinstance(error, CleanedUp):
        return ConnectionFailed("The adapter was cleaned up before this call was done.")
    if isinstance(error, RedisError):
        return _of_redis(error)
    if isinstance(error, OSError):
        return _unreachable(error)
    return None


def _of_redis(error: RedisError) -> OneiricError:
    if isinstance(error, _REFUSED) or str(error).startswith(_WRONG_PASSWORD):
        return AuthenticationFailed(
            "The broker refuses the user, the password, or what they may do.",
            hint="Check `username` and `password`, and what the broker's ACL allows.",
        )
    for kind, sentence in _NOT_NOW.items():
        if isinstance(error, kind):
            return ConnectionFailed(sentence)
    if isinstance(error, ResponseError):
        return QueueError(f"The broker refuses the command: {_code(error)}.")
    return _unreachable(error)


def _unreachable(error: BaseException) -> ConnectionFailed:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConnectionFailed(
                f"The broker's certificate is refused: {cause.verify_message}.",
                hint="Check the URL's host, and `tls_ca_file` where an authority of your own has signed it.",
                transient=False,
            )
        if isinstance(cause, ssl.SSLError):
            return ConnectionFailed("The broker doesn't speak TLS as expected.", hint="Is it `redis://`?")
        if isinstance(cause, OSError) and cause.strerror:
            return ConnectionFailed(f"The broker can't be reached: {cause.strerror}.")
    return ConnectionFailed("The connection to the broker broke off.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _code(error: ResponseError) -> str:
    """The word in capitals with which Redis begins its errors."""
    word = str(error).partition(" ")[0]
    return word if word.isascii() and word.isupper() and word.isalpha() else type(error).__name__


def unreadable(error: OSError) -> OneiricError:
    """The error for a file of the settings that can't be used."""
    if isinstance(error, ssl.SSLError):
        return ConfigError("A file of `tls_ca_file`, `tls_cert_file` and `tls_key_file` is not what it should be: PEM.")
    return ConfigError(f"A file of `tls_ca_file`, `tls_cert_file` and `tls_key_file` can't be read: {error.strerror}.")
