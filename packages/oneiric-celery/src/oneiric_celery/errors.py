"""From the drivers' errors to Oneiric's."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING

from amqp.exceptions import AccessRefused, AMQPError
from kombu.exceptions import KombuError
from oneiric.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    DeadlineExceeded,
    OneiricError,
    QueueError,
)
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_CREDENTIALS = (AuthenticationError, AuthorizationError, NoPermissionError, AccessRefused)
_REFUSED_LOGIN = re.compile(r"WRONGPASS|NOAUTH|invalid (username-)?password|AUTH called|ACCESS_REFUSED", re.IGNORECASE)
_FULL = re.compile(r"^(OOM|MISCONF|READONLY|NOREPLICAS|LOADING|BUSY|MASTERDOWN)\b")


class CleanedUp(Exception):
    """The adapter was cleaned up before the call could be done."""


class deadline:  # noqa: N801 - used as asyncio.timeout is
    """`async with deadline(seconds, adapter, "Submitting")`: the block may take so long, and raises errors of ours.

    A class, as a generator's context manager would cost a small call a good part of its time.
    """

    __slots__ = ("_adapter", "_limit", "_seconds", "_what")

    def __init__(self, seconds: float, adapter: str | None, what: str) -> None:
        self._seconds = seconds
        self._adapter = adapter
        self._what = what
        self._limit = asyncio.timeout(seconds)

    async def __aenter__(self) -> float:
        await self._limit.__aenter__()
        return self._seconds

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, traceback)
        except TimeoutError as passed:
            said = f"{self._what} had no answer in {self._seconds:g} s."
            raise DeadlineExceeded(said, adapter=self._adapter) from passed
        if isinstance(error, Exception):
            ours = translated(error, self._adapter, self._what)
            if ours is not error:
                raise ours from error


def translated(error: Exception, adapter: str | None, what: str) -> Exception:
    """Oneiric's error for one of a driver's; another is given back as it is. No driver's text is repeated that may quote."""
    if isinstance(error, OneiricError):
        error.adapter = error.adapter or adapter
        return error
    if isinstance(error, CleanedUp):
        return ConnectionFailed(
            "The adapter was cleaned up before this call was done.", adapter=adapter, transient=False
        )
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return DeadlineExceeded(f"{what} had no answer in time.", adapter=adapter)
    if isinstance(error, _CREDENTIALS) or (isinstance(error, RedisError) and _REFUSED_LOGIN.search(str(error))):
        return AuthenticationFailed(
            f"{what} is refused: the broker or the result backend doesn't take the credentials.",
            adapter=adapter,
            hint="Check the user, the password and what they may do.",
        )
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConnectionFailed(
                f"{what} failed: the server's certificate is refused: {cause.verify_message}.",
                adapter=adapter,
                hint="Check the URL's host, and `tls_ca_file` where an authority of your own has signed it.",
                transient=False,
            )
    if isinstance(error, ResponseError):
        return _of_response(error, adapter, what)
    if isinstance(error, RedisConnectionError | RedisError | OSError | AMQPError | KombuError | EOFError):
        return ConnectionFailed(f"{what} failed: {_reason(error)}.", adapter=adapter)
    return error


def _of_response(error: ResponseError, adapter: str | None, what: str) -> OneiricError:
    """For what Redis refused. Its first word is a code, the rest may quote what was sent."""
    code = str(error).partition(" ")[0].rstrip(":")
    if _FULL.match(str(error)):
        return ConnectionFailed(f"{what} is refused by the server: {code}.", adapter=adapter, hint="Look into its log.")
    said = code if code.isupper() and code.isalpha() else "an error"
    return QueueError(f"{what} is refused by the server: {said}.", adapter=adapter)


def _reason(error: Exception) -> str:
    """What a connection died of, in the system's words where it has some: those of a driver may quote a URL."""
    said = (cause.strerror for cause in _causes(error) if isinstance(cause, OSError))
    return next(filter(None, said), "the connection was lost")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came of, the nearest first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
