"""Which server a config means: a URL and its parts, as one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from oneiric.embedded import Place, is_embedded

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
"""libpq's modes, but for `allow`, which protects nothing that `prefer` doesn't."""

PORT = 5432

_SCHEMES = ("postgresql", "postgres")
_PARAMETERS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "host")


@dataclass(frozen=True, slots=True)
class Dsn:
    """A URL, taken apart; what it doesn't say is None. `path` is the folder of an embedded server."""

    host: str | None = None
    port: int | None = None
    database: str | None = None
    user: str | None = None
    password: str | None = None
    sslmode: str | None = None
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    application_name: str | None = None
    is_embedded: bool = False
    path: str | None = None

    def __repr__(self) -> str:
        return f"Dsn(host={self.host!r}, port={self.port!r}, database={self.database!r})"


def parse(url: str) -> Dsn:
    """Take a URL apart. Raises ValueError with a sentence that repeats nothing of it but its words for parameters."""
    if is_embedded(url):
        return Dsn(is_embedded=True, path=Place.parse(url).path)
    if "\0" in url:
        raise ValueError("the URL holds a NUL character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("this is not a URL; write postgresql://user@host:5432/database") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError("the URL begins with postgresql:// or embedded://")
    if parts.fragment:
        raise ValueError("the URL has a `#`; in a password write %23")
    if parts.hostname and "," in parts.netloc.rpartition("@")[2]:
        raise ValueError("the URL names several hosts; give one")
    found = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(found) - set(_PARAMETERS))
    if unknown:
        raise ValueError(f"the URL's parameter {unknown[0]!r} is unknown; there are {', '.join(_PARAMETERS)}")
    if found.get("sslmode") not in {None, *get_args(SslMode)}:
        raise ValueError(f"sslmode is one of {', '.join(get_args(SslMode))}")
    return Dsn(
        host=found.pop("host", None) or (unquote(parts.hostname) if parts.hostname else None),
        port=port,
        database=unquote(parts.path[1:]) or None,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        **found,  # type: ignore[arg-type]  # each is a str, and a field
    )
