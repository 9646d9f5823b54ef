"""A config that came over the wire, which may reach what it was allowed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.config import Instance
from oneiric.diagnostics import AllowedTargets
from scripted_connection import METADATA, WAYS, Scripted, check, nova, port_of, stages

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("scripted")


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
