"""The URLs of brokers and result backends, taken apart; imports no driver."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from oneiric.embedded.place import Place, is_embedded
from oneiric.errors import ConfigError

REDIS = frozenset({"redis", "rediss", "unix", "embedded"})
AMQP = frozenset({"amqp", "amqps", "pyamqp"})
_TLS = frozenset({"rediss", "amqps"})
_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "pyamqp": 5672, "amqps": 5671}
_SCHEMES = ", ".join(f"`{scheme}://`" for scheme in ("redis", "rediss", "unix", "embedded", "amqp", "amqps"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a URL says of a server."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    """Of a socket or of embedded data; of others the virtual host."""
    database: int = 0
    """The number of the Redis database."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_redis(self) -> bool:
        """Whether it is Redis or Valkey."""
        return self.scheme in REDIS

    @property
    def tls(self) -> bool:
        """Whether it is spoken to with TLS."""
        return self.scheme in _TLS

    def with_password(self, password: str) -> Server:
        """The same, with a password where the URL has none."""
        return self if self.password is not None else replace(self, password=password)

    @property
    def celery_url(self) -> str:
        """Its URL as Celery takes it, its password included."""
        if self.scheme == "unix":
            return f"redis+socket://{self._login}{quote(self.path)}?virtual_host={self.database}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = self.database if self.is_redis else quote(self.path, safe="")
        return f"{self.scheme}://{self._login}{host}:{self.port}/{path}"

    @property
    def _login(self) -> str:
        if self.username is None and self.password is None:
            return ""
        return f"{quote(self.username or '', safe='')}:{quote(self.password or '', safe='')}@"


@lru_cache(maxsize=64)
def server(url: str) -> Server:
    """Take a URL apart. Raises ValueError, with half a sentence that repeats no part of it."""
    if is_embedded(url):
        return _embedded(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL like `redis://localhost:6379/0`") from None
    if parts.scheme not in REDIS | AMQP:
        raise ValueError(f"begins with none of {_SCHEMES}")
    if parts.scheme == "unix":
        return _socket(parts)
    if parts.query or parts.fragment:
        raise ValueError("has options behind a `?` or `#`; there are settings for them, as `tls_ca_file` and `timeout`")
    path = unquote(parts.path.removeprefix("/"))
    username, password = _login(parts)
    return Server(
        scheme=parts.scheme,
        host=parts.hostname or "localhost",
        port=port or _PORTS[parts.scheme],
        path=path if parts.scheme in AMQP else "",
        database=_database(path) if parts.scheme in REDIS else 0,
        username=username,
        password=password,
    )


def _embedded(url: str) -> Server:
    try:
        Place.parse(url)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return Server(scheme="embedded", path=url)


def _socket(parts: SplitResult) -> Server:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.hostname or not parts.path.strip("/") or parts.fragment or set(options) - {"db"}:
        raise ValueError("is not `unix:///path/of/a/socket?db=0`")
    username, password = _login(parts)
    database = _database(options.get("db", ""))
    return Server(scheme="unix", path=unquote(parts.path), database=database, username=username, password=password)


def _login(parts: SplitResult) -> tuple[str | None, str | None]:
    return (
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 6):
        raise ValueError("names a Redis database that is no number")
    return int(text or 0)
