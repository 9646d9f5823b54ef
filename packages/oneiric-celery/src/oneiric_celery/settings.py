"""What the adapter needs to know; imports no driver."""

from __future__ import annotations

from typing import Annotated, Self

from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.queue import (
    BATCH,
    CANCEL,
    CANCEL_RUNNING,
    DURABLE,
    EXPIRES,
    IDEMPOTENCY,
    PRIORITY,
    PROGRESS,
    RESULTS,
    RETRIES,
    SCHEDULE,
    WORKERS,
)
from oneiric.adapters.targets import Endpoint, Targets
from oneiric.embedded.place import Place
from pydantic import AfterValidator, Field, FiniteFloat, SecretStr, model_validator

from oneiric_celery.urls import Server, server

CAPABILITIES = frozenset(
    {
        BATCH,
        CANCEL,
        CANCEL_RUNNING,
        DURABLE,
        EXPIRES,
        IDEMPOTENCY,
        PRIORITY,
        PROGRESS,
        RESULTS,
        RETRIES,
        SCHEDULE,
        WORKERS,
    }
)
"""What the adapter can do on Redis and Valkey, with workers of `oneiric-celery worker`."""

_Seconds = Annotated[FiniteFloat, Field(gt=0, le=86_400)]


def _check_url(url: str) -> str:
    server(url)
    return url


def _check_backend(url: str) -> str:
    if url.startswith("rpc:"):
        raise ValueError(
            "would keep results for the process that submitted the task alone, and nobody else could ask for its state; "
            "use Redis or Valkey"
        )
    if not server(url).is_redis:
        raise ValueError("is not on Redis or Valkey")
    return url


def _check_steps(steps: tuple[int, ...]) -> tuple[int, ...]:
    if list(steps) != sorted(set(steps)) or steps[:1] != (0,) or not all(0 <= step <= 9 for step in steps):
        raise ValueError("are not rising numbers from 0 to 9 that begin with 0")
    return steps


class CelerySettings(AdapterSettings):
    """Where the broker and the results are, and what is agreed on with the workers."""

    broker_url: Annotated[str, AfterValidator(_check_url)]
    """The broker: `redis://HOST:6379/0`, `rediss://…` (TLS), `unix:///PATH/OF/SOCKET?db=0`, `amqp://USER@HOST:5672/VHOST` or
    `amqps://…`; or a Valkey on this machine that comes with `oneiric-celery[embedded]`: `embedded://` in memory,
    `embedded:///PATH` kept in that folder."""

    result_backend: Annotated[str, AfterValidator(_check_backend)] | None = None
    """Where states and results are kept, on Redis or Valkey; the broker itself where that is one of them."""

    password: SecretStr | None = None
    """The password of the broker, and of a result backend on the same host, where the URLs have none."""

    tls_ca_file: str | None = None
    """A file with the authorities that vouch for the servers' certificates; the system's, without."""

    queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] = "celery"
    """Where tasks are submitted to that name no queue."""

    timeout: _Seconds = 10.0
    """How many seconds a call may take where it isn't told otherwise; `init()` too."""

    wait_timeout: _Seconds = 60.0
    """How many seconds `wait_for_result` waits where it isn't told otherwise."""

    max_connections: Annotated[int, Field(ge=1, le=1000)] = 16
    """How many connections there are at most to the broker, and to the result backend."""

    visibility_timeout: Annotated[FiniteFloat, Field(gt=0, le=31_536_000)] = 3600.0
    """After how many seconds the broker gives a task that isn't acknowledged to another worker: the workers' own setting
    on Redis, `consumer_timeout` on RabbitMQ. A task may be held by a worker, for its time to come, no longer than that."""

    result_expires: Annotated[FiniteFloat, Field(ge=1, le=31_536_000)] = 86_400.0
    """After how many seconds a task that nothing is heard of, or that has ended, is forgotten."""

    priority_steps: Annotated[tuple[int, ...], AfterValidator(_check_steps)] = (0, 3, 6, 9)
    """The lists that Redis has for priorities, as the workers have them; 0 is the first to be served."""

    queue_max_priority: Annotated[int, Field(ge=9, le=255)] | None = None
    """`x-max-priority` of the queues on RabbitMQ, as the workers declare them. Without it there are no priorities there."""

    max_task_bytes: Annotated[int, Field(ge=1024, le=134_217_728)] = 4_194_304
    """How large the arguments of a task may be as JSON, together."""

    plain_workers: bool = False
    """Whether there are workers that were not started by `oneiric-celery worker`, nor by `oneiric_celery.worker.prepare`. Then
    `max_retries` and times beyond `visibility_timeout` are refused, as only those know of them."""

    @model_validator(mode="after")
    def _has_backend(self) -> Self:
        if self.result_backend is None and not server(self.broker_url).is_redis:
            raise ValueError(
                "`result_backend` is required with RabbitMQ: states and results are kept on Redis or Valkey"
            )
        return self

    @property
    def broker(self) -> Server:
        """The broker's server."""
        return self._with_password(server(self.broker_url))

    @property
    def backend(self) -> Server:
        """The result backend's server."""
        return self._with_password(server(self.result_backend or self.broker_url))

    @property
    def is_direct(self) -> bool:
        """Whether a task and the record of it go to one Redis database, and so there together."""
        return self.broker == self.backend

    def targets(self) -> Targets:
        """The broker and the result backend, and the authorities' file."""
        servers = dict.fromkeys((self.broker, self.backend))
        endpoints = {
            Endpoint(each.host, each.port, tls=each.tls and self.tls_ca_file is None): None
            for each in servers
            if each.host
        }
        files = [file for each in servers if (file := _file(each))]
        return Targets(tuple(endpoints), (*files, *([self.tls_ca_file] if self.tls_ca_file else [])))

    def lacks(self) -> frozenset[str]:
        """What RabbitMQ, plain workers and data in memory do without."""
        lacking = {RETRIES} if self.plain_workers else set()
        if "embedded" in (self.broker.scheme, self.backend.scheme) and not self._is_kept:
            lacking.add(DURABLE)
        if not self.broker.is_redis and self.queue_max_priority is None:
            lacking.add(PRIORITY)
        return frozenset(lacking)

    def _with_password(self, found: Server) -> Server:
        is_of_broker = found.host == server(self.broker_url).host
        return found.with_password(self.password.get_secret_value()) if self.password and is_of_broker else found

    @property
    def _is_kept(self) -> bool:
        return all(_file(each) for each in (self.broker, self.backend) if each.scheme == "embedded")


def _file(found: Server) -> str | None:
    """What is opened of a server on this machine."""
    if found.scheme == "embedded":
        return Place.parse(found.path).path
    return found.path if found.scheme == "unix" else None
