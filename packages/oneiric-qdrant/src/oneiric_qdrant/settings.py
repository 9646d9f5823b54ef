"""What the adapter needs to know; imports no driver."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.targets import Endpoint, Targets
from oneiric.adapters.vector import DURABLE, EXACT_SEARCH
from oneiric.embedded import Place, is_embedded
from pydantic import AfterValidator, Field, FiniteFloat, SecretStr, model_validator

_REST_PORT = 6333

Index = Literal["keyword", "number", "bool"]


def _check_url(url: str) -> str:
    if is_embedded(url):
        Place.parse(url)
        return url
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is none
        is_usable, parts = False, urlsplit("")
    if not is_usable:
        raise ValueError("this is no URL of a server (http or https, with a host), and no embedded one")
    if "@" in parts.netloc:
        raise ValueError("a password in the URL is not used; give the key as `api_key`")
    if parts.query or parts.fragment:
        raise ValueError("the URL of a server has no query and no fragment")
    return url


def _check_key(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the key is empty, or holds characters that no key has")
    return key


class QdrantSettings(AdapterSettings):
    """Where Qdrant is, and how it is used."""

    url: Annotated[str, AfterValidator(_check_url)]
    """A server (`http://host:6333`, `https://…` with TLS, Qdrant Cloud's URL; the port is 6333 where none is given),
    `embedded://` (in memory, this adapter's alone, gone at the end), or `embedded:///folder` (kept in that folder, made where
    there is none; `embedded:///~/folder` is in the home directory)."""

    engine: Literal["local", "edge"] = "local"
    """What keeps `embedded:///folder`. `local`: qdrant-client's local mode, for small data. `edge`: Qdrant Edge, which
    is beta and needs the extra `oneiric-qdrant[edge]`. A folder belongs to the one that wrote it."""

    api_key: Annotated[SecretStr, AfterValidator(_check_key)] | None = None
    """The server's API key."""

    grpc: bool = False
    """Speak gRPC to the server and not REST: the same calls, faster uploads."""

    grpc_port: Annotated[int, Field(ge=1, le=65_535)] = 6334
    """The server's port for gRPC, on the host of `url`."""

    ca_file: str | None = None
    """A file with the authorities (PEM) that vouch for the server's certificate; without it, those that Python trusts."""

    timeout: Annotated[FiniteFloat, Field(gt=0, le=86_400)] = 30.0
    """How many seconds a call may take where it isn't told otherwise; `init()` too."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 256
    """How many records go into one request at most. It is fewer where their vectors are long, as each request is built
    without a pause."""

    upload_concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """How many requests of one `upsert` are under way at once, to a server."""

    exact: bool = False
    """Compare with every record, and don't use the HNSW index of the server or of Edge: slower, and nothing is missed."""

    hnsw_ef: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """How many candidates the server's HNSW index looks at, more being slower and more exact; its own default without."""

    indexes: dict[str, Index] = {}
    """Fields of payloads that the server or Edge indexes in each collection that `create_collection` makes, with what
    their values are: filters on them are faster. No filter needs one, unless the server's strict mode says so."""

    @model_validator(mode="after")
    def _check_together(self) -> QdrantSettings:
        if self.engine == "edge" and not self.folder:
            raise ValueError("that engine keeps folders only; give the URL of one, or leave `engine` out")
        if self.folder is not None and (self.grpc or self.api_key or self.ca_file):
            raise ValueError("`grpc`, `api_key` and `ca_file` are for a server, and the URL is an embedded one")
        if self.ca_file is not None and not self.url.startswith("https://"):
            raise ValueError("`ca_file` is for TLS, which the URL doesn't ask for")
        return self

    @property
    def folder(self) -> str | None:
        """Where embedded data are; empty where that is in memory, None where there is a server."""
        return Place.parse(self.url).path or "" if is_embedded(self.url) else None

    def targets(self) -> Targets:
        """The server, or the folder."""
        files = [file for file in (self.folder, self.ca_file) if file]
        if self.folder is not None:
            return Targets(files=tuple(files))
        parts = urlsplit(self.url)
        port = self.grpc_port if self.grpc else parts.port or _REST_PORT
        is_tls = parts.scheme == "https" and self.ca_file is None
        return Targets((Endpoint(parts.hostname or "", port, tls=is_tls),), tuple(files))

    def lacks(self) -> frozenset[str]:
        """In memory nothing lasts; a server and Edge are sure to search exactly only where they are told to."""
        if self.folder is None or self.engine == "edge":
            return frozenset() if self.exact else frozenset({EXACT_SEARCH})
        return frozenset() if self.folder else frozenset({DURABLE})
