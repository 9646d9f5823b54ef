"""From the errors of Qdrant's libraries to Oneiric's.

What a server says is not repeated: it may quote what was sent. It is in the `__cause__`.
"""

from __future__ import annotations

import json
import sqlite3
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc  # type: ignore[import-untyped]
import httpx
from oneiric.errors import (
    AuthenticationFailed,
    CollectionExists,
    CollectionNotFound,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidRecord,
    InvalidRequest,
    NotInitialized,
    OneiricError,
    Unsupported,
)
from pydantic import ValidationError
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOMETHING_ELSE = "Check `url`: its host, its port (6333 where it names none), and its path."
_NO_KEY = "Give `api_key` the server's key, or one that may do this."
_CERTIFICATE = "Check that the URL's host is the one in the certificate, or name the authority's file as `ca_file`."
_PLAIN = "Perhaps the server speaks no TLS: try `http://`, or its other port."
_BUSY = "Ask it less often, or raise its limits."


class CleanedUp(Exception):
    """The adapter was cleaned up before the call could be done."""


class OtherLoop(Exception):
    """The call came in another event loop than the one that `init()` ran in."""


class EngineFailed(Exception):
    """An embedded engine raised something that nobody expected; with its own words."""


def translated(error: BaseException, adapter: str | None) -> BaseException:
    """Oneiric's error for one of the drivers'; another is given back as it is."""
    ours = error if isinstance(error, OneiricError) else _translated(error)
    if ours is None:
        return error
    ours.adapter = adapter
    return ours


def is_missing(error: Exception) -> bool:
    """Whether the server, or local mode, says that there is no such collection."""
    if isinstance(error, UnexpectedResponse):
        return error.status_code == 404 and _said(error) is not None
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code() is grpc.StatusCode.NOT_FOUND
    return isinstance(error, ValueError) and str(error).endswith(" not found")


def is_conflict(error: Exception) -> bool:
    """Whether it says that such a collection is there already; it has said so with several codes."""
    if isinstance(error, UnexpectedResponse):
        return error.status_code in {400, 409} and "already exists" in (_said(error) or "")
    if isinstance(error, grpc.aio.AioRpcError):
        codes = {grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.INVALID_ARGUMENT}
        return error.code() in codes and "already exists" in (error.details() or "")
    return False


def _translated(error: BaseException) -> OneiricError | None:  # noqa: C901 - one kind a case
    match error:
        case UnexpectedResponse():
            return _of_status(error.status_code or 0, _said(error))
        case ResponseHandlingException():
            return _of_transport(error.source)
        case grpc.aio.AioRpcError():
            return _of_grpc(error.code(), error.details() or "")
        case httpx.HTTPError():
            return _of_transport(error)
        case CleanedUp():
            return ConnectionFailed("The adapter was cleaned up before this call was done.", transient=False)
        case OtherLoop():
            hint = "Call `await adapter.init()` in this one; better, `cleanup()` in the other first."
            return NotInitialized("The adapter was initialised in another event loop.", hint=hint)
        case EngineFailed():
            return ConnectionFailed(
                "The embedded engine has failed.", hint="Its own words are in the cause.", transient=False
            )
        case json.JSONDecodeError() | ValidationError():
            return _not_qdrant()
        case sqlite3.Error():
            return ConnectionFailed(
                "The folder can't be used.", hint="SQLite's words are in the cause.", transient=False
            )
        case ValueError():
            return InvalidRequest("Qdrant refuses the request.", hint="What it says is in the cause.")
        case QdrantException():
            return ConnectionFailed("Qdrant takes no more requests for now.", hint=_BUSY)
        case OSError():
            reason = error.strerror or type(error).__name__
            return ConnectionFailed(f"The folder can't be used: {reason}.", hint="Check `url`.", transient=False)
    return None


def _of_status(status: int, said: str | None) -> OneiricError:
    if status in {401, 403}:
        return AuthenticationFailed(f"Qdrant refuses the request (HTTP {status}).", hint=_NO_KEY)
    if said is None and status < 500:
        return ConnectionFailed(
            f"What answers there is not Qdrant (HTTP {status}).", hint=_SOMETHING_ELSE, transient=False
        )
    if status == 413:
        return InvalidRequest("The request is too large for the server.", hint="Lower `batch_size`.")
    if status == 429:
        return ConnectionFailed("Qdrant takes no more requests for now.", hint=_BUSY)
    if status >= 500:
        return ConnectionFailed(f"Qdrant has failed (HTTP {status}).", hint="The server's log says why.")
    return _of_words(said or "", f"HTTP {status}", is_missing=status == 404, is_conflict=status == 409)


def _of_grpc(code: grpc.StatusCode, said: str) -> OneiricError:
    codes = grpc.StatusCode
    name = code.name
    if code is codes.UNAVAILABLE:
        return _of_connection(said)
    if code is codes.DEADLINE_EXCEEDED:
        return DeadlineExceeded("Qdrant didn't answer in time.")
    if code in {codes.UNAUTHENTICATED, codes.PERMISSION_DENIED}:
        return AuthenticationFailed(f"Qdrant refuses the request (gRPC {name}).", hint=_NO_KEY)
    if code is codes.UNIMPLEMENTED:
        hint = "Check `grpc_port` (6334 is the default), and the server's version."
        return ConnectionFailed("What answers there doesn't know Qdrant's calls.", hint=hint, transient=False)
    if code is codes.RESOURCE_EXHAUSTED:
        return ConnectionFailed("Qdrant takes no more requests for now.", hint=_BUSY)
    if code in {
        codes.INVALID_ARGUMENT,
        codes.FAILED_PRECONDITION,
        codes.OUT_OF_RANGE,
        codes.NOT_FOUND,
        codes.ALREADY_EXISTS,
    }:
        return _of_words(
            said, f"gRPC {name}", is_missing=code is codes.NOT_FOUND, is_conflict=code is codes.ALREADY_EXISTS
        )
    return ConnectionFailed(f"Qdrant has failed (gRPC {name}).", hint="The server's log says why.")


def _of_words(said: str, code: str, *, is_missing: bool, is_conflict: bool) -> OneiricError:
    """What the server refuses, by what it says of it."""
    if is_missing:
        return CollectionNotFound(f"There is no such collection ({code}).", hint="Create it with `create_collection`.")
    if is_conflict:
        return CollectionExists(f"There is such a collection already ({code}).")
    lowered = said.lower()
    if "dimension" in lowered:
        hint = "Somebody has made the collection anew; ask for it with `list_collections`."
        return InvalidRecord(f"A vector has another dimension than the collection ({code}).", hint=hint)
    if "index required" in lowered or "strict mode" in lowered or "unindexed" in lowered:
        hint = (
            "Its strict mode asks for an index of each field that is filtered (`indexes`), or limits what is asked for."
        )
        return Unsupported(f"The server's settings forbid this request ({code}).", hint=hint)
    return InvalidRequest(f"Qdrant refuses the request ({code}).", hint="What it says is in the cause.")


def _of_transport(error: Exception) -> OneiricError:
    if isinstance(error, httpx.TimeoutException):
        return DeadlineExceeded("Qdrant didn't answer in time.")
    if isinstance(error, ValidationError | ValueError):
        return _not_qdrant()
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return _untrusted()
        if isinstance(each, ssl.SSLError):
            return _no_tls()
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.TooManyRedirects):
        return ConnectionFailed("Qdrant can't be reached by this URL.", hint=_SOMETHING_ELSE, transient=False)
    if isinstance(error, httpx.ConnectError):
        return ConnectionFailed("Qdrant can't be reached.", hint=_SOMETHING_ELSE)
    return ConnectionFailed("The connection to Qdrant broke.", hint="Whether it did what was asked is not known.")


def _of_connection(said: str) -> OneiricError:
    """Why a gRPC channel can't be had, by what the library says of it."""
    if "CERTIFICATE_VERIFY_FAILED" in said or "Hostname Verification" in said or "Peer name" in said:
        return _untrusted()
    if "WRONG_VERSION_NUMBER" in said:
        return _no_tls()
    if "http1.x" in said.lower() or "ALPN" in said:
        hint = "Give `grpc_port` the port for gRPC (6334 is the default), or leave `grpc` out."
        return ConnectionFailed("What answers there speaks no gRPC.", hint=hint, transient=False)
    return ConnectionFailed("Qdrant can't be reached by gRPC.", hint="Check the host of `url`, and `grpc_port`.")


def _not_qdrant() -> ConnectionFailed:
    return ConnectionFailed("What answers there doesn't answer as Qdrant.", hint=_SOMETHING_ELSE, transient=False)


def _untrusted() -> ConnectionFailed:
    return ConnectionFailed("The server's certificate is not trusted.", hint=_CERTIFICATE, transient=False)


def _no_tls() -> ConnectionFailed:
    return ConnectionFailed("No TLS connection comes about.", hint=_PLAIN, transient=False)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(error: UnexpectedResponse) -> str | None:
    """What the server says of the error; None where that isn't said as Qdrant does."""
    with suppress(ValueError, TypeError, KeyError):
        status = json.loads(error.content)["status"]
        return str(status["error"]) if isinstance(status, dict) else str(status)
    return None
