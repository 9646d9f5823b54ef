"""What the adapters need to know; imports no driver."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Self

from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.messaging import DURABLE
from oneiric.adapters.targets import Endpoint, Targets
from pydantic import AfterValidator, Field, FiniteFloat, SecretStr, model_validator

from oneiric_redis_pubsub.server import Server, parse

_MEBIBYTE = 1024 * 1024


def _check_url(url: str) -> str:
    parse(url)
    return url


def _check_text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("it is empty, or has characters that can't be printed")
    return text


def _check_prefix(text: str) -> str:
    if text and not text.isprintable():
        raise ValueError("it has characters that can't be printed")
    return text


_Text = Annotated[str, AfterValidator(_check_text)]
_Name = Annotated[str, AfterValidator(_check_text), Field(max_length=200)]
_Prefix = Annotated[str, AfterValidator(_check_prefix), Field(max_length=200)]
_Seconds = Annotated[FiniteFloat, Field(gt=0, le=86_400)]


class RedisSettings(AdapterSettings):
    """Which server, and how it is reached: what both adapters of this package have in common."""

    url: Annotated[str, AfterValidator(_check_url)]
    """`redis://host:6379/0`, `rediss://…` with TLS, or `unix:///path/of/socket`; a password is better given apart. Or
    a Valkey from a wheel (extra `embedded`), started here: `embedded://` in memory, `embedded:///PATH` kept in that folder."""

    username: _Text | None = None
    """The user of the server's ACL, where the `url` has none."""

    password: SecretStr | None = None
    """The password, where the `url` has none."""

    tls_ca_file: _Text | None = None
    """With `rediss://`: the file of the authorities that are trusted; the system's own where none is given."""

    tls_cert_file: _Text | None = None
    """The file of the client's certificate, for servers that ask for one."""

    tls_key_file: _Text | None = None
    """The file of its key, where that isn't in `tls_cert_file`; it has no passphrase."""

    tls_check_hostname: bool = True
    """Whether the server's certificate has to be of the host's name. It has to be of a trusted authority in any case."""

    timeout: _Seconds = 10.0
    """How many seconds a call may take where it isn't told otherwise, connecting included."""

    connect_timeout: _Seconds = 5.0
    """How many seconds connecting may take, with TLS and the password; `init()` too."""

    watchdog: Annotated[FiniteFloat, Field(ge=0.2, le=3600)] = 5.0
    """How many seconds a connection that is listened on may be silent: it is asked (PING) after half of them, and without an
    answer taken for dead after all of them, and made again."""

    drain: Annotated[FiniteFloat, Field(ge=0, le=86_400)] = 10.0
    """How many seconds `cleanup()` waits for the callbacks that run, before it cancels them."""

    max_message_bytes: Annotated[int, Field(ge=1, le=512 * _MEBIBYTE)] = 16 * _MEBIBYTE
    """How large a message's JSON may be. A Pub/Sub message beyond the server's `client-output-buffer-limit` disconnects all
    who listen (32 MB by default), and Redis takes none of 512 MiB or more."""

    client_name: Annotated[str, AfterValidator(_check_text), Field(pattern=r"^\S+$", max_length=200)] = "oneiric"
    """What `CLIENT LIST` calls our connections."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if self.password is not None and self.server.password is not None:
            raise ValueError("the `url` has a password already; leave out one of them")
        if self.username is not None and self.server.username is not None:
            raise ValueError("the `url` has a user already; leave out one of them")
        files = (self.tls_ca_file, self.tls_cert_file, self.tls_key_file)
        if any(files) and not (self.server.tls or self.server.is_embedded):
            raise ValueError("`tls_…_file` is for a `url` that begins with `rediss://`")
        if self.tls_key_file and not self.tls_cert_file:
            raise ValueError("`tls_key_file` is the key of a `tls_cert_file`, and there is none")
        return self

    @cached_property
    def server(self) -> Server:
        """What `url` says."""
        return parse(self.url)

    def login(self, server: Server) -> dict[str, str | None]:
        """The user and the password for that server; an embedded one has none, and asks for none."""
        if self.server.is_embedded:
            return {"username": None, "password": None}
        password = self.password.get_secret_value() if self.password else server.password
        return {"username": self.username or server.username, "password": password}

    def targets(self) -> Targets:
        """The server, and the files that are read to reach it."""
        server = self.server
        if server.is_embedded:
            return Targets(files=(server.folder,) if server.folder else ())
        files = tuple(file for file in (self.tls_ca_file, self.tls_cert_file, self.tls_key_file) if file)
        if server.socket is not None:
            return Targets(files=(server.socket,))
        is_known = server.tls and not files and self.tls_check_hostname
        return Targets(endpoints=(Endpoint(server.host, server.port, tls=is_known),), files=files)


class RedisPubSubSettings(RedisSettings):
    """Which server, and how its Pub/Sub is used."""

    prefix: _Prefix = ""
    """What is put before a queue's name to make the name of its channel."""

    buffer: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """How many messages wait here for each consumer or subscriber; beyond them no more are read, and the server disconnects
    who is too far behind, which `on_gap` is told."""


class RedisStreamSettings(RedisSettings):
    """Which server, and how its streams are used."""

    prefix: _Prefix = "oneiric:"
    """What all keys and channels begin with."""

    group: _Name = "default"
    """The group of the consumers that name none."""

    create_group: bool = True
    """Whether publishing to a new queue creates that group, so that nothing is trimmed before its consumers have had it. For
    queues that are only subscribed to, say no: what no group has to handle is trimmed by its age alone."""

    max_deliveries: Annotated[int, Field(ge=1, le=10_000)] = 5
    """How often a message is given before it is put aside as a dead letter."""

    retry_backoff: Annotated[FiniteFloat, Field(ge=0, le=3600)] = 0.2
    """Seconds until a message whose callback has raised is given again; twice as many each time."""

    retry_backoff_max: Annotated[FiniteFloat, Field(ge=0, le=86_400)] = 60.0
    """Seconds that it is at most."""

    heartbeat: Annotated[FiniteFloat, Field(ge=0.05, le=3600)] = 5.0
    """How often, in seconds, a consumer says that it still has its messages. Where it hasn't for three times as long, another
    one takes them over."""

    batch: Annotated[int, Field(ge=1, le=10_000)] = 100
    """How many messages a consumer reads at once, where its callback is quick; where it is slow, as few as it can handle."""

    retention: Annotated[FiniteFloat, Field(gt=0, le=10 * 365 * 86_400)] = 7 * 86_400.0
    """How many seconds a message is kept, to be consumed by new groups and from the past; longer where a group has not yet
    acknowledged it. Idempotency keys are remembered for as long."""

    def lacks(self) -> frozenset[str]:
        """An embedded server without a folder keeps nothing."""
        return frozenset({DURABLE}) if self.server.is_embedded and self.server.folder is None else frozenset()
