"""What is never connected to, whosever config it is, and wherever the driver goes by itself."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.diagnostics import addresses
from scripted_connection import METADATA, WAYS, Scripted, check, nova, port_of, stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = pytest.mark.usefixtures("scripted")


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
