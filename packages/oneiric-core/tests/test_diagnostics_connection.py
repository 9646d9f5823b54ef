"""The connection test, against real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
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


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("diagnosed_adapter")
    module.Scripted = Scripted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "diagnosed_adapter", module)
    Scripted.log = []


CATALOG = Catalog(
    [
        AdapterSpec("nova", type="database", summary="A.", adapter="diagnosed_adapter:Scripted", settings=Settings),
        AdapterSpec("other", type="database", summary="A.", adapter="diagnosed_adapter:Scripted", settings=Settings),
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


@pytest.fixture
def listener() -> Any:
    """A socket that listens, and whose connections the kernel accepts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def nobody() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


class TestTheAdapter:
    async def test_one_that_works(self):
        result = await check(nova())
        assert (result.success, result.error, result.error_class, result.next_step) == (True, None, None, None)
        assert stages(result) == "---ap"
        assert result.latency_ms >= sum(stage.latency_ms or 0 for stage in result.stages) > 0
        assert Scripted.log == ["init", "cleanup"]

    @pytest.mark.parametrize(
        ("does", "shown", "kind", "error"),
        [
            ("fails", "-C---", "ConnectionFailed", "The server is away."),
            ("raises", "-C---", "ConnectionFailed", "The init of `nova` raised OSError."),
            ("is refused", "---A-", "AuthenticationFailed", "No such user."),
            ("TLS", "--T--", "ConnectionFailed", "It can't connect."),
            ("can't be made", "---A-", "InitFailed", "Making the Scripted of `nova` raised TypeError."),
            ("ill", "---aP", "Unhealthy", "The disk is full."),
            ("says no", "---aP", "Unhealthy", "It says that it is not healthy."),
        ],
    )
    async def test_whatever_goes_wrong_is_the_answer_and_nothing_is_left_open(
        self, does: str, shown: str, kind: str, error: str
    ):
        result = await check(nova(does=does, password="hunter2"))
        assert (result.success, stages(result), result.error_class, result.error) == (False, shown, kind, error)
        assert result.next_step
        assert Scripted.log in ([], ["init", "cleanup"])

    @pytest.mark.parametrize(("does", "shown"), [("hangs", "---A-"), ("never answers", "---aP")])
    async def test_one_that_hangs_ends_at_the_deadline(self, does: str, shown: str):
        result = await check(nova(does=does), timeout=0.1)
        assert stages(result) == shown
        assert "within 0.1 s" in str(result.error)
        assert Scripted.log == ["init", "cleanup"]

    async def test_a_secret_that_the_adapter_repeats_is_struck_out(self):
        password = {"$env": "PASSWORD"}
        result = await check(nova(does="repeats a banner", password=password), PASSWORD="hunter2")
        assert result.error == "The server says: go away, **********."

    async def test_a_wrong_config_or_a_missing_adapter_is_the_answer(self):
        result = await check(nova(pasword="hunter2", prt=1))
        assert stages(result) == "-----"
        assert result.error_class == "ConfigError"
        assert "Did you mean `password`?" in str(result.error)
        assert "Did you mean `port`?" in str(result.error)
        assert "hunter2" not in result.model_dump_json()
        gone = await check(Instance("gone", "gone", {}))
        assert (stages(gone), gone.error_class) == ("-----", "AdapterUnavailable")
        assert "no_such_module" in str(gone.error)
        unknown = await check(Instance("x", "os:system", {}))
        assert (stages(unknown), unknown.error_class) == ("-----", "UnknownAdapter")

    async def test_a_reference_with_nothing_behind_it_is_the_answer(self):
        result = await check(nova(password={"$env": "NOT_THERE"}))
        assert (stages(result), result.error_class) == ("-----", "UnresolvedReference")
        assert "{$env: NOT_THERE}" in str(result.error)


class TestTheNetwork:
    async def test_the_stages_pass_one_by_one(self, listener: socket.socket):
        result = await check(nova(hosts=["127.0.0.1"], port=port_of(listener)))
        assert stages(result) == "rc-ap"
        assert result.stages[0].detail == f"127.0.0.1:{port_of(listener)} is 127.0.0.1"

    async def test_a_name_is_resolved(self, listener: socket.socket):
        result = await check(nova(hosts=["localhost"], port=port_of(listener)))
        assert stages(result) == "rc-ap"

    async def test_nothing_that_listens(self, nobody: int):
        result = await check(nova(hosts=["127.0.0.1"], port=nobody))
        assert (stages(result), result.error_class) == ("rC---", "ConnectionFailed")
        assert result.error == f"127.0.0.1:{nobody} refuses the connection: nothing listens there."
        assert Scripted.log == []

    @pytest.mark.parametrize("host", ["no-such-host.invalid", "a b", "x" * 300, "a..b", "\udcff", ""])
    async def test_a_name_that_is_none(self, host: str):
        result = await check(nova(hosts=[host], port=1))
        assert stages(result) in ("R----", "-----")
        assert result.error_class in ("ConnectionFailed", "ConfigError")

    @pytest.mark.parametrize("port", [0, -1, 65536, 10**30])
    async def test_a_port_that_is_none(self, port: int):
        result = await check(nova(hosts=["127.0.0.1"], port=port))
        assert (stages(result), result.error) == ("R----", "The port is not between 1 and 65535.")

    async def test_one_member_of_a_cluster_that_is_away(self, listener: socket.socket):
        result = await check(nova(hosts=["no-such-host.invalid", "127.0.0.1"], port=port_of(listener)))
        assert stages(result) == "rc-ap"
        assert "no-such-host.invalid" in result.stages[0].detail

    async def test_a_resolver_that_hangs(self, monkeypatch: pytest.MonkeyPatch):
        hangs = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: hangs.wait())
        try:
            result = await check(nova(hosts=["db.internal"], port=1), timeout=0.1)
        finally:
            hangs.set()
        assert (stages(result), result.error_class) == ("R----", "DeadlineExceeded")

    @pytest.mark.parametrize(
        "does",
        ["keeps to itself what it reaches", "can't say what it reaches", "talks nonsense of what it reaches"],
    )
    async def test_an_adapter_that_does_not_say_what_it_reaches_tries_it_itself(self, does: str):
        result = await check(nova(does=does))
        assert stages(result) == "---ap"
        assert result.stages[0].detail == "The adapter doesn't say what it connects to."
