"""What the adapter and its workers need to know; imports no driver."""

from __future__ import annotations

from typing import Annotated, Any

from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.queue import DURABLE
from oneiric.adapters.targets import Endpoint, Targets
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, SecretStr

from oneiric_rq.address import Address, Scheme

QUEUE = r"^[A-Za-z0-9_.:-]{1,128}$"
A_DAY = 86_400
A_YEAR = 365 * A_DAY


def _check_url(url: str) -> str:
    Address.parse(url)
    return url


class Recurring(BaseModel):
    """A task that is submitted again and again."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    task: Annotated[str, Field(min_length=1, max_length=200)]
    """Its name."""

    cron: Annotated[str, Field(pattern=r"^\s*\S+(\s+\S+){4,5}\s*$")]
    """When, in UTC, as cron has it: minute, hour, day, month, day of the week; `0 4 * * *` is at four each day."""

    args: tuple[Any, ...] = ()
    """Its arguments."""

    kwargs: dict[str, Any] = {}
    """Its named arguments."""

    queue: Annotated[str, Field(pattern=QUEUE)] | None = None
    """Where it is submitted to; the default queue, where None."""

    max_retries: Annotated[int, Field(ge=0)] | None = None
    """How often it is run again where it fails."""


class RedisQueueSettings(AdapterSettings):
    """Where the broker is, and how tasks are submitted and kept."""

    url: Annotated[str, AfterValidator(_check_url)]
    """`redis://HOST:6379/0`, `rediss://…` with TLS, `unix:///PATH/OF/SOCKET?db=0`; or a server on this machine that comes with
    `oneiric-rq[embedded]`: `embedded://` in memory, `embedded:///PATH` kept in that folder."""

    username: str | None = None
    """The user of the broker, in place of the URL's."""

    password: SecretStr | None = None
    """The password, in place of the URL's."""

    tls_ca_file: str | None = None
    """A file of the authorities that vouch for the broker, for `rediss://`; this machine's own, without."""

    tls_cert_file: str | None = None
    """A file with the certificate that is shown to the broker."""

    tls_key_file: str | None = None
    """A file with that certificate's key, where it isn't in the same file."""

    queue: Annotated[str, Field(pattern=QUEUE)] = "default"
    """Where tasks are submitted to that name no queue, and what a worker serves that isn't told."""

    timeout: Annotated[FiniteFloat, Field(gt=0, le=86_400)] = 10.0
    """How many seconds a call may take where it isn't told otherwise; `init()` too."""

    wait_timeout: Annotated[FiniteFloat, Field(gt=0)] = 60.0
    """How many seconds `wait_for_result()` waits where it isn't told otherwise."""

    max_connections: Annotated[int, Field(ge=1, le=1000)] = 16
    """How many connections calls may use at once; further calls wait for one. Waiting for results takes one more."""

    job_timeout: Annotated[int, Field(ge=1, le=A_YEAR)] = 180
    """How many seconds a task may run before its worker stops it, as failed."""

    result_ttl: Annotated[int, Field(ge=1, le=10 * A_YEAR)] = A_DAY
    """How many seconds a task that has succeeded is remembered, with its result."""

    failure_ttl: Annotated[int, Field(ge=1, le=10 * A_YEAR)] = A_YEAR
    """How many seconds a task that has failed or was cancelled is remembered, with its error."""

    tasks: tuple[str, ...] = ()
    """What `oneiric-rq worker` may run: `myapp.tasks` for all public functions of that module, `myapp.tasks.send` for one."""

    schedule: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")], Recurring] = {}
    """What `run_schedule()` and `oneiric-rq schedule` submit again and again, by names of your choice."""

    def login(self, address: Address) -> dict[str, str | None]:
        """The user and the password for the broker at that address; an embedded one has none, and asks for none."""
        if Address.parse(self.url).scheme is Scheme.EMBEDDED:
            return {"username": None, "password": None}
        password = self.password.get_secret_value() if self.password else address.password
        return {"username": self.username or address.username, "password": password}

    def targets(self) -> Targets:
        """The broker, and what is read to reach it."""
        address = Address.parse(self.url)
        files = tuple(file for file in (self.tls_ca_file, self.tls_cert_file, self.tls_key_file) if file)
        if address.scheme in {Scheme.UNIX, Scheme.EMBEDDED}:
            return Targets(files=((address.path, *files) if address.path else files))
        is_tls = address.scheme is Scheme.TLS and not files
        return Targets(endpoints=(Endpoint(address.host, address.port, is_tls),), files=files)

    def lacks(self) -> frozenset[str]:
        """What is only in memory ends with its server."""
        address = Address.parse(self.url)
        return frozenset({DURABLE}) if address.scheme is Scheme.EMBEDDED and not address.path else frozenset()
