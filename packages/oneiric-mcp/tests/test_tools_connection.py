"""The tool that tests a connection; what it may reach is core's to decide, and tested there."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from oneiric_mcp import Installation, build_server
from oneiric_mcp.tools.connection import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Site

NETWORK_PLUGIN = """
from oneiric import AdapterSettings, AdapterSpec, hookimpl
from oneiric.adapters.targets import Endpoint, Targets

class Settings(AdapterSettings):
    host: str = "127.0.0.1"
    port: int = 1

    def targets(self):
        return Targets(endpoints=(Endpoint(self.host, self.port),))

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("net", type="net", summary="A test's adapter.", adapter="net_adapter:Net", settings=Settings,
                        example={})]
"""
NETWORK_ADAPTER = """
import asyncio
from oneiric.adapters.base import Adapter

class Net(Adapter):
    async def init(self):
        _, self.writer = await asyncio.open_connection(self.settings.host, self.settings.port)
    async def health(self): return True
    async def cleanup(self):
        if hasattr(self, "writer"):
            self.writer.close()
"""


async def test_the_stored_config_is_tested_with_an_adapter_of_its_own(living: Site, call: Callable[..., Any]):
    answer = await call("test_adapter_connection", adapter_name="orders")
    assert answer["success"] is True
    assert [stage["name"] for stage in answer["stages"]] == ["resolve", "connect", "tls", "authenticate", "ping"]
    assert (await call("get_adapter_config", adapter_name="orders"))["state"] == "stopped"
    assert living.life[-1].endswith("cleanup")


async def test_a_failure_is_an_answer_with_its_stage_and_no_secret(living: Site, call: Callable[..., Any]):
    living.configure("adapters: {orders: {adapter: shelf, path: down, password: hunter2}}")
    answer = await call("test_adapter_connection", adapter_name="orders")
    assert (answer["success"], answer["error_class"]) == (False, "ConnectionFailed")
    assert answer["next_step"]
    assert "hunter2" not in str(answer)


async def test_an_unknown_name_gets_the_nearest(living: Site, call: Callable[..., Any]):
    said = await call("test_adapter_connection", adapter_name="oders")
    assert said == "No instance 'oders' is configured. Did you mean `orders`?"
    answer = await call("test_adapter_connection", adapter_name="oders", config={})
    assert answer["error_class"] == "UnknownAdapter"
    assert "`adapter` in the config" in await call(
        "test_adapter_connection", adapter_name="orders", config={"adapter": 5}
    )


@pytest.mark.parametrize(
    "config",
    [
        {"path": {"$env": "HOME"}},
        {"path": {"$file": "/etc/passwd"}},
        {"path": "file:///etc/passwd"},
        {"path": "/etc/passwd"},
        {"adapter": "os:system"},
        {"adapter": "shelf_adapter:Shelf"},
    ],
    ids=str,
)
async def test_another_config_that_aims_at_the_host_is_refused(
    living: Site, call: Callable[..., Any], config: dict[str, Any]
):
    answer = await call("test_adapter_connection", adapter_name="orders", config=config)
    assert answer["success"] is False
    assert answer["error_class"] in ("TargetRefused", "UnknownAdapter")
    assert living.life == []


async def test_another_host_only_where_it_is_allowed(living: Site):
    living.install("net", NETWORK_PLUGIN, net_adapter=NETWORK_ADAPTER)
    with socket.create_server(("127.0.0.1", 0)) as there:
        config = {"host": "127.0.0.1", "port": there.getsockname()[1]}
        metadata = {"host": "169.254.169.254", "port": 80}
        for allowed, expected in ((), "TargetRefused"), (("127.0.0.1", "169.254.169.254"), None):
            async with Client(build_server(Installation(), allowed_hosts=allowed)) as client:
                answers = [
                    (await client.call_tool("test_adapter_connection", {"adapter_name": "net", "config": tried})).data
                    for tried in (config, metadata)
                ]
            assert [answer.error_class for answer in answers] == [expected, "TargetRefused"]


async def test_more_at_the_same_time_than_may_be_are_told_so(living: Site, call: Callable[..., Any]):
    living.configure("adapters: {orders: {adapter: shelf, path: hang}}")
    waiting = [asyncio.create_task(call("test_adapter_connection", adapter_name="orders")) for _ in range(AT_ONCE)]
    async with asyncio.timeout(30):
        while True:
            answer = await asyncio.wait(
                {asyncio.create_task(call("test_adapter_connection", adapter_name="orders"))}, timeout=2
            )
            done = [task.result() for task in answer[0]]
            if done:
                break
            waiting += answer[1]
    assert done == [f"{AT_ONCE} connection tests are running. Try again when one has ended."]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
