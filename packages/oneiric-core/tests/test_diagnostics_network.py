"""The stages on the network, up to a connection; with real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from scripted_connection import Scripted, check, nova, port_of, stages

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.usefixtures("scripted")


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
