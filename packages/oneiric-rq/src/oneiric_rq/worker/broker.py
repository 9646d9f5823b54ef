"""The worker's client of the broker, which blocks, as RQ's workers do."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oneiric.embedded import join
from oneiric.embedded.valkey import ValkeyEngine
from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from oneiric_rq.address import Address, Scheme
from oneiric_rq.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric_rq.settings import RedisQueueSettings

_RETRIES = 8
"""A good ten seconds. What was done twice for a lost reply is a task that is run twice, which killing a worker may do too."""


@contextmanager
def reached(settings: RedisQueueSettings) -> Iterator[Address]:
    """Where the broker is; an embedded one is there for as long as the block lasts. Raises Oneiric's errors."""
    address = Address.parse(settings.url)
    if address.scheme is not Scheme.EMBEDDED:
        yield address
        return
    member = asyncio.run(join(settings.url, ValkeyEngine("oneiric-rq"), timeout=settings.timeout))
    try:
        yield Address.parse(member.url)
    finally:
        asyncio.run(member.leave())


def client(address: Address, settings: RedisQueueSettings) -> Redis:
    """A client that waits for a broker which is being restarted."""
    options: dict[str, Any] = {
        "db": address.database,
        **settings.login(address),
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=3), _RETRIES),
        "protocol": 2,
    }
    if address.scheme is Scheme.UNIX:
        return Redis(unix_socket_path=address.path, **options)
    if address.scheme is Scheme.TLS:
        options |= {
            "ssl": True,
            "ssl_ca_certs": settings.tls_ca_file,
            "ssl_certfile": settings.tls_cert_file,
            "ssl_keyfile": settings.tls_key_file,
        }
    return Redis(host=address.host, port=address.port, **options)


@contextmanager
def translating() -> Iterator[None]:
    """Oneiric's errors for what the broker's client raises in the block."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise translated(error, None) from error
