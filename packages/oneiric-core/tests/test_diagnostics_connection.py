"""The connection test, against real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import struct
import sys
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
import trustme
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
from oneiric.diagnostics import AllowedTargets, StageStatus, addresses, check_connection
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

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
def listener() -> Iterator[socket.socket]:
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

    async def test_what_a_reference_stands_for_is_struck_out_wherever_it_is(self, nobody: int):
        config = nova(does="repeats where it goes", goes_to={"$env": "SECRET"}, hosts=[])
        result = await check(config, SECRET="hunter2")
        assert (result.error, result.next_step) == ("I can't find **********.", "Look for **********.")
        result = await check(nova(hosts=[{"$env": "HOST"}], port=nobody), HOST="localhost")
        assert stages(result) == "rC---"
        assert "localhost" not in result.model_dump_json()

    async def test_one_that_wants_to_end_the_process_does_not(self):
        result = await check(nova(does="exits"))
        assert (stages(result), result.error_class) == ("---A-", "InitFailed")

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

    async def test_a_host_that_stays_silent(self):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as opened:
            for _ in range(8):  # the kernel answers as many as its queue holds, and then nobody
                client = opened.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(server.getsockname())
            result = await check(nova(hosts=["127.0.0.1"], port=port_of(server)), timeout=0.2)
        assert (stages(result), result.error_class) == ("rC---", "DeadlineExceeded")
        assert "did not answer within 0.2 s" in str(result.error)

    async def test_a_cancelled_test_cleans_up(self, until: Callable[..., Any]):
        task = asyncio.create_task(check(nova(does="hangs")))
        await until(lambda: Scripted.log)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert Scripted.log == ["init", "cleanup"]

    async def test_a_test_that_is_cancelled_at_any_moment_leaves_no_socket(self, listener: socket.socket):
        def open_sockets() -> int:
            return sum(isinstance(each, socket.socket) and each.fileno() != -1 for each in gc.get_objects())

        before = open_sockets()
        for moment in range(60):
            task = asyncio.create_task(
                check(nova(hosts=["127.0.0.1"] * 3, port=port_of(listener), tls=bool(moment % 2)))
            )
            for _ in range(moment):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(10):
            while open_sockets() > before:  # noqa: ASYNC110 - a transport closes its socket a moment later
                await asyncio.sleep(0.01)

    async def test_more_endpoints_than_anybody_has(self):
        result = await check(nova(hosts=["127.0.0.1"] * 65, port=1))
        assert (stages(result), result.error) == ("-----", "The config names more than 64 endpoints.")

    async def test_a_hundred_tests_at_a_time(self, listener: socket.socket):
        tests = [check(nova(hosts=["localhost"], port=port_of(listener))) for _ in range(100)]
        assert {stages(result) for result in await asyncio.gather(*tests)} == {"rc-ap"}


AUTHORITY = trustme.CA()


@contextlib.asynccontextmanager
async def tls_server(certificate: trustme.LeafCert | trustme.CA) -> AsyncIterator[int]:
    """The port of a server that presents this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if isinstance(certificate, trustme.CA):  # which has signed itself
        with certificate.private_key_pem.tempfile() as key, certificate.cert_pem.tempfile() as chain:
            context.load_cert_chain(chain, key)
    else:
        certificate.configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield port_of(server.sockets[0])
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def plain_server(does: str) -> AsyncIterator[int]:
    """The port of a server that does this with whoever connects."""
    done = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if does == "speaks":
            writer.write(b"HTTP/1.1 400 hunter2\r\n\r\n")
            await writer.drain()
        if does == "resets":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if does == "stays silent":
            await done.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield port_of(server.sockets[0])
    finally:
        done.set()
        server.close()
        await server.wait_closed()


class TestTls:
    @pytest.fixture(autouse=True)
    def _trusted(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Make this machine trust AUTHORITY."""
        AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    async def test_a_certificate_that_is_right(self):
        async with tls_server(AUTHORITY.issue_cert("localhost")) as port:
            result = await check(nova(hosts=["localhost"], port=port, tls=True))
        assert stages(result) == "rctap", result
        assert result.stages[2].detail == "TLSv1.3"

    async def test_one_for_an_address(self):
        async with tls_server(AUTHORITY.issue_cert("127.0.0.1")) as port:
            assert (await check(nova(hosts=["127.0.0.1"], port=port, tls=True))).success

    @pytest.mark.parametrize(
        ("certificate", "reason"),
        [
            (lambda: trustme.CA().issue_cert("localhost"), "an authority that this machine doesn't trust signed its"),
            (trustme.CA, "its certificate is signed by itself"),
            (lambda: AUTHORITY.issue_cert("other.example.com"), "its certificate is for another name"),
            (
                lambda: AUTHORITY.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1)),
                "its certificate has expired",
            ),
            (
                lambda: AUTHORITY.issue_cert(
                    "localhost",
                    not_before=datetime.now(UTC) + timedelta(days=1),
                    not_after=datetime.now(UTC) + timedelta(days=2),
                ),
                "its certificate is not valid yet",
            ),
        ],
    )
    async def test_one_that_is_not(self, certificate: Callable[[], Any], reason: str):
        async with tls_server(certificate()) as port:
            result = await check(nova(hosts=["localhost"], port=port, tls=True))
        assert (stages(result), result.error_class) == ("rcT--", "ConnectionFailed")
        assert result.error is not None
        assert result.error.startswith(f"The TLS of localhost:{port} fails: {reason}")
        assert result.next_step
        assert Scripted.log == []

    @pytest.mark.parametrize(
        ("does", "reason"),
        [
            ("speaks", "what it speaks there is not TLS"),
            ("resets", "it closed the connection in the middle of the handshake"),
            ("closes", "it closed the connection in the middle of the handshake"),
        ],
    )
    async def test_a_server_that_does_not_speak_it(self, does: str, reason: str):
        async with plain_server(does) as port:
            result = await check(nova(hosts=["localhost"], port=port, tls=True))
        assert stages(result) == "rcT--"
        assert reason in str(result.error)
        assert result.next_step == "Check that the port is the one for TLS."
        assert "hunter2" not in result.model_dump_json()

    async def test_a_server_that_stays_silent(self):
        async with plain_server("stays silent") as port:
            result = await check(nova(hosts=["localhost"], port=port, tls=True), timeout=0.2)
        assert (stages(result), result.error_class) == ("rcT--", "DeadlineExceeded")


WAYS = ["connects by asyncio", "connects in a thread", "connects by a socket", "connects and hides it", "sends to"]


class TestWhatIsAlwaysRefused:
    @pytest.fixture
    def metadata(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
        """A listener that stands for a cloud's metadata service; nobody may have connected to it at the end."""
        monkeypatch.setattr(addresses, "_METADATA", (ip_network("127.0.0.2"),))
        with socket.create_server(("127.0.0.2", 0)) as server:
            yield server
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.accept()

    @pytest.mark.parametrize(
        "host", [METADATA, "2852039166", "[::ffff:169.254.169.254]", "metadata.google.internal", "fe80::1"]
    )
    async def test_a_host_that_is_named(self, host: str):
        result = await check(nova(hosts=["127.0.0.1", host], port=80))
        assert (stages(result), result.error_class) == ("R----", "TargetRefused")
        assert Scripted.log == []

    @pytest.mark.parametrize("answers", [[METADATA], ["127.0.0.1", METADATA], ["127.0.0.1", "::ffff:169.254.1.1"]])
    async def test_a_name_of_which_any_address_is_one(self, monkeypatch: pytest.MonkeyPatch, answers: list[str]):
        monkeypatch.setattr(socket, "getaddrinfo", lambda _, port, *__: [(2, 1, 6, "", (one, port)) for one in answers])
        result = await check(nova(hosts=["db.example.com"], port=80))
        assert (stages(result), result.error_class) == ("R----", "TargetRefused")
        assert "It resolves to" in str(result.error)

    @pytest.mark.parametrize("does", WAYS)
    async def test_where_the_driver_goes_by_itself(self, does: str, metadata: socket.socket):
        with socket.create_server(("127.0.0.1", 0)) as server:
            result = await check(
                nova(
                    does=does,
                    hosts=["127.0.0.1"],
                    port=port_of(server),
                    goes_to="127.0.0.2",
                    other_port=port_of(metadata),
                )
            )
        assert (stages(result), result.error_class) == ("rC---", "TargetRefused")
        assert result.error == "'127.0.0.2' may not be connected to: it is the address of a cloud's metadata service."
        assert Scripted.log[-1] == "cleanup"

    @pytest.mark.parametrize("host", [METADATA, "fe80::1", "::ffff:a9fe:a9fe", "169.254.1.1"])
    async def test_whatever_the_address_is(self, host: str):
        assert (await check(nova(does="connects by asyncio", goes_to=host))).error_class == "TargetRefused"

    async def test_a_name_that_is_another_address_the_second_time(
        self, metadata: socket.socket, monkeypatch: pytest.MonkeyPatch
    ):
        answers = iter(["127.0.0.1"])
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda _, port, *__, **___: [(2, 1, 6, "", (next(answers, "127.0.0.2"), port))]
        )
        with socket.create_server(("127.0.0.1", port_of(metadata))) as server:
            config = nova(
                does="connects by asyncio",
                hosts=["db.example.com"],
                port=port_of(server),
                goes_to="db.example.com",
                other_port=port_of(metadata),
            )
            result = await check(config)
        assert (stages(result), result.error_class) == ("rC---", "TargetRefused")

    async def test_what_it_does_in_its_health_check(self):
        result = await check(nova(does="goes astray later", goes_to=METADATA))
        assert (stages(result), result.error_class) == ("---aP", "TargetRefused")

    async def test_what_others_do_meanwhile_is_their_own(self, metadata: socket.socket, until: Callable[..., Any]):
        testing = asyncio.create_task(check(nova(does="hangs"), timeout=30))
        await until(lambda: Scripted.log)
        with socket.create_server(("127.0.0.2", 0)) as other:
            _, writer = await asyncio.open_connection("127.0.0.2", port_of(other))
            writer.close()
        testing.cancel()
        await asyncio.gather(testing, return_exceptions=True)


class TestOverTheWire:
    @staticmethod
    def allow(*hosts: str, stored: tuple[Instance, ...] = ()) -> AllowedTargets:
        return AllowedTargets(frozenset(hosts), stored)

    async def test_a_host_that_is_allowed(self, listener: socket.socket):
        config = nova(hosts=["127.0.0.1"], port=port_of(listener))
        assert (await check(config, allowed=self.allow("127.0.0.1"))).success
        refused = await check(config, allowed=self.allow())
        assert (stages(refused), refused.error_class) == ("-----", "TargetRefused")
        assert (
            refused.error == f"127.0.0.1:{port_of(listener)} is neither allowed nor what a stored config connects to."
        )
        assert "--allow-host" in str(refused.next_step)
        assert Scripted.log == ["init", "cleanup"]

    async def test_metadata_is_refused_all_the_same(self):
        result = await check(nova(hosts=[METADATA], port=80), allowed=self.allow(METADATA, "169.254.0.0/16"))
        assert (stages(result), result.error_class) == ("R----", "TargetRefused")

    async def test_what_a_stored_config_connects_to_is_allowed(self, listener: socket.socket):
        port = port_of(listener)
        stored = Instance("mine", "other", {"hosts": ["127.0.0.1"], "port": {"$env": "PORT"}})
        config = nova(hosts=["127.1"], port=port)
        result = await check(config, allowed=self.allow(stored=(stored,)), PORT=str(port))
        assert result.success, result
        elsewhere = nova(hosts=["127.0.0.1"], port=port + 1)
        assert (
            await check(elsewhere, allowed=self.allow(stored=(stored,)), PORT=str(port))
        ).error_class == "TargetRefused"

    async def test_stored_configs_that_are_wrong_allow_nothing_and_break_nothing(self):
        stored = tuple(
            Instance(f"s{n}", adapter, values)
            for n, (adapter, values) in enumerate(
                [("gone", {}), ("nope", {}), ("nova", {"x": 1}), ("nova", {"password": {"$env": "NOT_THERE"}})]
            )
        )
        config = nova(hosts=["127.0.0.1"], port=1)
        assert (await check(config, allowed=self.allow(stored=stored))).error_class == "TargetRefused"

    async def test_stored_configs_without_an_end_are_not_walked(self):
        itself: dict[str, Any] = {}
        itself["again"] = itself
        bomb: dict[str, Any] = {}
        for _ in range(60):
            bomb = {"a": bomb, "b": bomb}
        deep: dict[str, Any] = {}
        for _ in range(100_000):
            deep = {"again": deep}
        stored = (nova(**itself), nova(**bomb))
        assert (await check(nova(**deep), allowed=self.allow(stored=stored))).error_class == "ConfigError"
        assert (
            await check(nova(hosts=["127.0.0.1"]), allowed=self.allow(stored=stored))
        ).error_class == "TargetRefused"

    async def test_tls_of_a_stored_config_can_not_be_left_out(self, listener: socket.socket):
        stored = nova(hosts=["127.0.0.1"], port=port_of(listener), tls=True)
        config = nova(hosts=["127.0.0.1"], port=port_of(listener))
        assert (await check(config, allowed=self.allow(stored=(stored,)))).error_class == "TargetRefused"

    async def test_the_stored_config_itself_is_allowed_whatever_it_reaches(self):
        stored = nova(does="keeps to itself what it reaches")
        assert (await check(nova(**stored.values), allowed=self.allow(stored=(stored,)))).success

    @pytest.mark.parametrize("does", ["keeps to itself what it reaches", "can't say what it reaches"])
    async def test_an_adapter_that_does_not_say_what_it_reaches(self, does: str):
        result = await check(nova(does=does), allowed=self.allow("127.0.0.1"))
        assert (result.error_class, result.next_step) == ("TargetRefused", "Test the stored config.")

    async def test_a_file_only_where_a_stored_config_of_the_adapter_names_it(self, tmp_path: Path):
        file = str(tmp_path / "a.db")
        (tmp_path / "link").symlink_to(file)
        config = nova(file=str(tmp_path / "x" / ".." / "link"))
        assert (await check(config, allowed=self.allow(stored=(nova(file=file, port=1),)))).success
        others = Instance("other", "other", {"file": file})
        for stored in ((), (others,), (nova(file="b.db"),), (nova(file="a\0"),)):
            result = await check(config, allowed=self.allow(stored=stored))
            assert (stages(result), result.error_class) == ("-----", "TargetRefused")
        assert (
            await check(nova(file="a\0"), allowed=self.allow(stored=(nova(file="b\0"),)))
        ).error_class == "TargetRefused"

    async def test_a_file_url_is_refused(self):
        result = await check(nova(goes_to=" FILE:///etc/passwd"), allowed=self.allow())
        assert (stages(result), result.error) == ("-----", "The config holds a `file:` URL.")

    @pytest.mark.parametrize("reference", [{"$env": "SECRET"}, {"$file": "/etc/hostname"}])
    async def test_a_reference_only_where_a_stored_config_of_the_adapter_has_it(
        self, reference: dict[str, str], listener: socket.socket
    ):
        target = {"hosts": ["127.0.0.1"], "port": port_of(listener)}
        config = nova(**target, password=reference)
        right = nova(password=reference)
        result = await check(config, allowed=self.allow("127.0.0.1", stored=(right,)), SECRET="hunter2")
        assert result.success, result
        for stored in (
            (),
            (nova(goes_to=reference),),
            (nova(password={"$env": "OTHER"}),),
            (Instance("other", "other", {"password": reference}),),
        ):
            result = await check(config, allowed=self.allow("127.0.0.1", stored=stored), SECRET="hunter2")
            assert (stages(result), result.error_class) == ("-----", "TargetRefused")
            assert "hunter2" not in result.model_dump_json()

    async def test_a_reference_as_a_host_sends_no_secret_to_a_resolver(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("looked up"))
        stored = (nova(password={"$env": "SECRET"}),)
        result = await check(
            nova(hosts=[{"$env": "SECRET"}], port=1), allowed=self.allow(stored=stored), SECRET="hunter2"
        )
        assert result.error_class == "TargetRefused"

    @pytest.mark.parametrize("does", WAYS)
    async def test_the_driver_may_go_nowhere_else(self, does: str, listener: socket.socket):
        with socket.create_server(("127.0.0.3", 0)) as other:
            config = nova(
                does=does, hosts=["127.0.0.1"], port=port_of(listener), goes_to="127.0.0.3", other_port=port_of(other)
            )
            result = await check(config, allowed=self.allow("127.0.0.1"))
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.accept()
        assert (stages(result), result.error_class) == ("rC---", "TargetRefused")
        assert "it is no address of a host that the config names" in str(result.error)

    async def test_the_driver_may_connect_no_socket_by_a_name(self, listener: socket.socket):
        port = port_of(listener)
        config = nova(does="connects by a socket", hosts=["localhost"], port=port, goes_to="localhost", other_port=port)
        assert (await check(config)).success
        result = await check(config, allowed=self.allow("localhost"))
        assert result.error_class == "TargetRefused"
        assert "nobody sees which address" in str(result.error)

    @pytest.mark.parametrize("does", ["connects by asyncio", "connects in a thread"])
    async def test_the_driver_may_go_where_the_config_says(self, does: str, listener: socket.socket):
        port = port_of(listener)
        config = nova(does=does, hosts=["127.0.0.1"], port=port, goes_to="127.0.0.1", other_port=port)
        assert (await check(config, allowed=self.allow("127.0.0.1"))).success

    async def test_a_unix_socket_only_where_the_config_names_it(self, tmp_path: Path):
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            stored = nova(file=path)
            named = nova(does="connects to a Unix socket", goes_to=path, file=path)
            assert (await check(named, allowed=self.allow(stored=(stored,)))).success
            unnamed = nova(does="connects to a Unix socket", goes_to=path)
            assert (await check(unnamed, allowed=self.allow(stored=(stored,)))).error_class == "TargetRefused"

    async def test_nothing_that_a_backend_says_is_repeated(self):
        for does in ("fails", "repeats a banner", "is refused", "TLS", "ill"):
            result = await check(nova(does=does, password="hunter2"), allowed=self.allow())
            assert not result.success
            shown = result.model_dump_json()
            for words in ("hunter2", "away", "disk", "such user", "Wait", "can't connect"):
                assert words not in shown
            assert result.error
            assert result.next_step
