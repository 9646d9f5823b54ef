"""Which server a URL means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from oneiric.embedded import Place, is_embedded

PORT = 6379


@dataclass(frozen=True, slots=True)
class Server:
    """What a URL says."""

    host: str = "localhost"
    port: int = PORT
    database: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    socket: str | None = None
    """The path of a Unix socket, in the place of host and port."""
    is_embedded: bool = False
    folder: str | None = None
    """Where an embedded server keeps its data; None: it keeps none."""


def parse(url: str) -> Server:
    """What the URL says. Raises ValueError with a sentence that repeats nothing of it."""
    if is_embedded(url):
        return _embedded(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("it is no URL: its host or port can't be read") from None
    if parts.query or parts.fragment:
        raise ValueError("it has a query or a fragment; TLS, timeouts and the like are settings of their own")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if parts.scheme == "unix":
        if not parts.path.strip("/"):
            raise ValueError("it names no socket; `unix:///run/redis.sock` does")
        return Server(username=user, password=password, socket=unquote(parts.path))
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError("it begins with none of `redis://`, `rediss://`, `unix://` and `embedded://`")
    return Server(
        host=parts.hostname or "localhost",
        port=port or PORT,
        database=_database(parts.path),
        username=user,
        password=password,
        tls=parts.scheme == "rediss",
    )


def _database(path: str) -> int:
    number = path.strip("/")
    if number and not (number.isascii() and number.isdigit() and len(number) < 6):
        raise ValueError("what follows the host is no database's number; `redis://localhost:6379/0` has one")
    return int(number or 0)


def _embedded(url: str) -> Server:
    return Server(is_embedded=True, folder=Place.parse(url).path)
