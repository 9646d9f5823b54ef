"""A server's store: the client for REST or gRPC, with TLS, the key, and connections that notice when they are dead."""

from __future__ import annotations

import math
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from oneiric.errors import ConnectionFailed
from qdrant_client import AsyncQdrantClient, models

from oneiric_qdrant.client import ClientStore

if TYPE_CHECKING:
    from oneiric_qdrant.settings import QdrantSettings

_NO_DEADLINE = 86_400
"""Seconds: every call has a deadline of its own, above the client's."""

_GRPC: dict[str, Any] = {
    # A link that went silent is noticed, and a server that is back is found again soon: by default that may take two minutes.
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 1_000,
    "grpc.max_reconnect_backoff_ms": 2_000,
    "grpc.enable_retries": 0,
    "grpc.enable_http_proxy": 0,
}


def opened(settings: QdrantSettings) -> ClientStore:
    """The store; nothing is connected yet. Raises ConnectionFailed where the file of authorities can't be read."""
    options: dict[str, Any] = {}
    if settings.url.startswith("https://"):
        options["verify"] = _context(settings.ca_file)
    # As a header: of an `api_key` without TLS the client warns, which is for whoever writes the URL to know.
    key = settings.api_key.get_secret_value() if settings.api_key else None
    raw = AsyncQdrantClient(
        url=settings.url,
        prefer_grpc=settings.grpc,
        grpc_port=settings.grpc_port,
        headers={"api-key": key} if key else None,
        timeout=_NO_DEADLINE,
        grpc_options=_GRPC | _authorities(settings),
        check_compatibility=False,  # it would ask in a thread that nobody ends
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
        trust_env=False,  # targets() names all that is reached: no proxy from the environment
        **options,
    )
    params = models.SearchParams(hnsw_ef=settings.hnsw_ef, exact=settings.exact)
    return ClientStore(raw, params if settings.exact or settings.hnsw_ef else None)


def seconds(timeout: float) -> int:
    """What a server is told of a deadline: whole seconds, one at least."""
    return max(1, math.ceil(timeout))


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file and str(Path(ca_file).expanduser()))
    except OSError as error:  # an SSLError is one
        raise _unreadable(error) from error


def _authorities(settings: QdrantSettings) -> dict[str, bytes]:
    if settings.ca_file is None:
        return {}
    try:
        return {"root_certificates": Path(settings.ca_file).expanduser().read_bytes()}
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> ConnectionFailed:
    reason = "It holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
    return ConnectionFailed(f"`ca_file` can't be read: {reason}.", hint="Name a PEM file.", transient=False)
