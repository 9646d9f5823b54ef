"""Where a broker is, as its URL says it; imports no driver."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

from oneiric.embedded import Place, is_embedded

PORT = 6379
_DATABASE = re.compile(r"\d{1,5}")


class Scheme(StrEnum):
    """How the broker is reached."""

    TCP = "redis"
    TLS = "rediss"
    UNIX = "unix"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A URL in its parts. `path` is the socket's of `unix`, and the data's of `embedded`, where there is one."""

    scheme: Scheme
    host: str = ""
    port: int = PORT
    path: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take a URL apart. Raises ValueError with a sentence that repeats nothing of it."""
        if is_embedded(url):
            return cls(scheme=Scheme.EMBEDDED, path=Place.parse(url).path or "")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("this is no URL") from None
        if parts.scheme not in set(Scheme):
            raise ValueError("the URL begins with none of `redis://`, `rediss://`, `unix://` and `embedded://`")
        if parts.fragment:
            raise ValueError("the URL holds a `#`; write it as `%23`")
        scheme = Scheme(parts.scheme)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        username, password = (unquote(part) if part else None for part in (parts.username, parts.password))
        if scheme is Scheme.UNIX:
            path, database = _socket(parts.hostname, parts.path, options)
            return cls(scheme=scheme, path=path, database=database, username=username, password=password)
        if not parts.hostname or options:
            raise ValueError("the URL is not `redis://HOST:PORT/DATABASE`, without options behind a `?`")
        database = _database(parts.path.strip("/"))
        port = PORT if port is None else port
        return cls(
            scheme=scheme, host=parts.hostname, port=port, database=database, username=username, password=password
        )


def _socket(host: str | None, path: str, options: dict[str, str]) -> tuple[str, int]:
    if host or not path.strip("/") or set(options) - {"db"}:
        raise ValueError("the URL is not `unix:///PATH/OF/SOCKET?db=DATABASE`")
    return unquote(path), _database(options.get("db", ""))


def _database(text: str) -> int:
    if text and not _DATABASE.fullmatch(text):
        raise ValueError("the URL's database is not a number")
    return int(text or 0)
