"""An adapter that does what its settings say, and the test of its connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Any

from oneiric import (
    Adapter,
    AdapterSettings,
    AdapterSpec,
    AuthenticationFailed,
    Catalog,
    ConnectionFailed,
    Endpoint,
    Health,
    Targets,
)
from oneiric.config import Instance
from oneiric.diagnostics import AllowedTargets, StageStatus, check_connection
from pydantic import SecretStr

if TYPE_CHECKING:
    from oneiric.diagnostics import ConnectionTest


METADATA = "169.254.169.254"


class Settings(AdapterSettings):
    does: str = "works"
    password: SecretStr = SecretStr("")
    hosts: list[str] = []
    port: int = 0
    tls: bool = False
    file: str = ""
    goes_to: str = ""
    other_port: int = 0

    def targets(self) -> Targets | None:
        if self.does == "keeps to itself what it reaches":
            return None
        if self.does == "can't say what it reaches":
            raise RuntimeError("hunter2")
        if self.does == "talks nonsense of what it reaches":
            return Targets(("localhost:1",))  # type: ignore[arg-type]
        endpoints = tuple(Endpoint(host, self.port, self.tls) for host in self.hosts)
        return Targets(endpoints, (self.file,) if self.file else ())


class Scripted(Adapter):
    """Does what its settings say."""

    settings_class = Settings
    settings: Settings
    log: list[str] = []

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        if self.settings.does == "can't be made":
            raise TypeError(self._password)

    @property
    def _password(self) -> str:
        return self.settings.password.get_secret_value()

    async def init(self) -> None:
        self.log.append("init")
        await self._init()

    async def _init(self) -> None:
        target = (self.settings.goes_to, self.settings.other_port or 80)
        match self.settings.does:
            case "fails":
                raise ConnectionFailed("The server is away.", adapter=self.name, hint="Wait.")
            case "repeats a banner":
                raise ConnectionFailed(f"The server says: go away, {self._password}.")
            case "raises":
                raise OSError(self._password)
            case "is refused":
                raise AuthenticationFailed("No such user.") from ConnectionResetError()
            case "TLS":
                raise ConnectionFailed("It can't connect.") from ssl.SSLError(1, "hunter2")
            case "repeats where it goes":
                raise ConnectionFailed(
                    f"I can't find {self.settings.goes_to}.", hint=f"Look for {self.settings.goes_to}."
                )
            case "exits":
                sys.exit(3)
            case "hangs":
                await asyncio.Event().wait()
            case "connects by asyncio":
                _, writer = await asyncio.open_connection(*target)
                writer.close()
            case "connects in a thread":
                await asyncio.to_thread(lambda: socket.create_connection(target, 5).close())
            case "connects by a socket":
                with socket.socket() as client:
                    client.connect(target)
            case "connects to a Unix socket":
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(self.settings.goes_to)
            case "connects and hides it":
                try:
                    socket.create_connection(target, 5).close()
                except OSError:
                    self.log.append("hidden")
            case "sends to":
                with socket.socket() as client:
                    client.sendto(b"", getattr(socket, "MSG_FASTOPEN", 0), target)

    async def health(self) -> bool | Health:
        if self.settings.does == "ill":
            return Health(ok=False, detail="The disk is full.")
        if self.settings.does == "goes astray later":
            socket.create_connection((self.settings.goes_to, 80), 5).close()
        if self.settings.does == "never answers":
            await asyncio.Event().wait()
        return self.settings.does != "says no"

    async def cleanup(self) -> None:
        self.log.append("cleanup")


CATALOG = Catalog(
    [
        AdapterSpec("nova", type="database", summary="A.", adapter="scripted_connection:Scripted", settings=Settings),
        AdapterSpec("other", type="database", summary="A.", adapter="scripted_connection:Scripted", settings=Settings),
        AdapterSpec("gone", type="database", summary="A.", adapter="no_such_module:X"),
    ]
)


def nova(**values: Any) -> Instance:
    return Instance("nova", "nova", values)


async def check(
    instance: Instance, *, timeout: float = 30.0, allowed: AllowedTargets | None = None, **variables: str
) -> ConnectionTest:
    return await check_connection(instance, CATALOG, timeout=timeout, allowed=allowed, variables=variables)


def stages(result: ConnectionTest) -> str:
    """`rCt--`: passed in lower case, failed in upper case, `-` for skipped."""
    sign = {StageStatus.PASSED: str.lower, StageStatus.FAILED: str.upper, StageStatus.SKIPPED: lambda _: "-"}
    return "".join(sign[stage.status](stage.name[0]) for stage in result.stages)


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


WAYS = ["connects by asyncio", "connects in a thread", "connects by a socket", "connects and hides it", "sends to"]
