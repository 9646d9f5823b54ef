"""The tools that run instances in the server, in memory, in both eras of the protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from oneiric_mcp import Installation, build_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Site


async def test_an_instance_s_life(living: Site, call: Callable[..., Any]):
    assert (await call("get_adapter_config", adapter_name="orders"))["state"] == "stopped"
    ready = await call("initialize_adapter", adapter_name="orders")
    assert ready.pop("latency_ms") >= 0
    assert ready == {"instance": "orders", "adapter": "shelf", "state": "ready", "healthy": True, "error": None}
    assert (await call("initialize_adapter", adapter_name="orders"))["state"] == "ready"
    assert (await call("check_adapter_health", adapter_name="orders"))["healthy"] is True
    assert (await call("get_adapter_config", adapter_name="orders"))["state"] == "ready"
    assert (await call("cleanup_adapter", adapter_name="orders"))["state"] == "stopped"
    assert (await call("cleanup_adapter", adapter_name="orders"))["state"] == "stopped"
    assert living.life == ["orders init", "orders ready", "orders cleanup"]
    assert (await call("check_adapter_health", adapter_name="orders"))["error"] == "It is stopped."


@pytest.mark.parametrize(("path", "said"), [("down", "There is nobody at"), ("bug", "raised RuntimeError")])
async def test_an_init_that_fails_is_an_answer_without_the_secret(
    living: Site, call: Callable[..., Any], path: str, said: str
):
    living.configure(f"adapters: {{orders: {{adapter: shelf, path: {path}, password: hunter2}}}}")
    answer = await call("initialize_adapter", adapter_name="orders")
    assert (answer["state"], answer["healthy"]) == ("failed", False)
    assert said in answer["error"]
    assert "hunter2" not in str(answer)
    assert (await call("get_adapter_config", adapter_name="orders"))["state"] == "failed"


async def test_an_instance_that_is_not_healthy_says_so(living: Site, call: Callable[..., Any]):
    living.configure("adapters: {orders: {adapter: shelf, path: sick}}")
    answer = await call("initialize_adapter", adapter_name="orders")
    assert (answer["healthy"], answer["error"]) == (False, "It says that it is not healthy.")


@pytest.mark.parametrize(
    "tool", ["initialize_adapter", "check_adapter_health", "cleanup_adapter", "get_adapter_config"]
)
async def test_an_unknown_name_gets_the_nearest_and_an_unreadable_config_its_reason(
    living: Site, call: Callable[..., Any], tool: str
):
    assert await call(tool, adapter_name="oders") == "No instance 'oders' is configured. Did you mean `orders`?"
    living.configure("adapters: {orders: {password: hunter2, password: hunter3}}")
    said = await call(tool, adapter_name="orders")
    assert "the key `password` is there twice" in said
    assert "hunter" not in said


async def test_what_runs_can_be_cleaned_up_when_its_config_is_gone(living: Site, call: Callable[..., Any]):
    await call("initialize_adapter", adapter_name="orders")
    living.configure("adapters: {")
    assert (await call("check_adapter_health", adapter_name="orders"))["healthy"] is True
    assert (await call("cleanup_adapter", adapter_name="orders"))["adapter"] == "shelf"
    assert living.life[-1] == "orders cleanup"


async def test_a_hundred_initialisations_at_once_are_one(living: Site, call: Callable[..., Any]):
    answers = await asyncio.gather(*(call("initialize_adapter", adapter_name="orders") for _ in range(100)))
    assert {answer["state"] for answer in answers} == {"ready"}
    assert living.life == ["orders init", "orders ready"]


async def test_all_are_cleaned_up_when_the_server_ends(living: Site):
    living.configure("adapters: {orders: {adapter: shelf}, shelf: {}, more: {adapter: shelf}}")
    async with Client(build_server(Installation())) as client:
        for name in ("orders", "shelf"):
            await client.call_tool("initialize_adapter", {"adapter_name": name})
        assert "orders cleanup" not in living.life
    assert living.life[-2:] == ["shelf cleanup", "orders cleanup"]
    assert not [line for line in living.life if line.startswith("more")]


async def test_a_server_that_ends_while_an_init_hangs_cleans_it_up(living: Site, until: Callable[..., Any]):
    living.configure("adapters: {orders: {adapter: shelf, path: hang}}")
    async with Client(build_server(Installation())) as client:
        waiting = asyncio.create_task(client.call_tool("initialize_adapter", {"adapter_name": "orders"}))
        await until(lambda: living.life)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert living.life[0] == "orders init"
    assert set(living.life[1:]) == {"orders cleanup"}  # twice, where the first was cut off


async def test_a_running_instance_keeps_its_config_until_it_is_initialised_anew(living: Site, call: Callable[..., Any]):
    await call("initialize_adapter", adapter_name="orders")
    living.configure("adapters: {orders: {adapter: shelf, path: sick}}")
    assert (await call("check_adapter_health", adapter_name="orders"))["healthy"] is True
    await call("cleanup_adapter", adapter_name="orders")
    assert (await call("initialize_adapter", adapter_name="orders"))["healthy"] is False
