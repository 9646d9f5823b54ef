"""The tools that discover, in memory, in both eras of the protocol."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from oneiric_mcp import build_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Site

CANARY = "hunter2-canary"


async def test_each_says_that_it_only_reads(client: Client[Any]):
    tools = {tool.name: tool for tool in await client.list_tools()}
    for name in ("list_adapters", "get_adapter_info", "validate_adapter_config"):
        annotations = tools[name].annotations
        assert annotations
        assert annotations.read_only_hint is annotations.idempotent_hint is True
        assert annotations.destructive_hint is annotations.open_world_hint is False
    (listed,) = tools["list_adapters"].output_schema["properties"].values()
    assert listed["type"] == "array"
    assert "class" in tools["get_adapter_info"].output_schema["properties"]
    assert tools["validate_adapter_config"].output_schema["required"] == ["valid", "errors", "warnings"]


async def test_list_adapters_has_what_a_caller_chooses_by(call: Callable[..., Any]):
    (shelf,) = [adapter for adapter in (await call("list_adapters"))["result"] if adapter["name"] == "shelf"]
    schema = shelf.pop("settings_schema")
    assert shelf == {
        "name": "shelf",
        "type": "shelf",
        "status": "available",
        "summary": "A test's adapter.",
        "capabilities": ["durable"],
        "error": None,
    }
    assert schema["properties"]["path"]["description"] == "Where it is."


async def test_list_adapters_by_type(call: Callable[..., Any]):
    assert [adapter["name"] for adapter in (await call("list_adapters", adapter_type="shelf"))["result"]] == ["shelf"]
    assert (await call("list_adapters", adapter_type=None))["result"]
    said = await call("list_adapters", adapter_type="shelv")
    assert said.startswith("No installed adapter is of type 'shelv'. Installed types: ")
    assert "shelf" in said


async def test_get_adapter_info_explains_one(call: Callable[..., Any]):
    info = await call("get_adapter_info", adapter_name="shelf")
    assert (info["class"], info["settings_class"]) == ("shelf_adapter:Shelf", "shelf:Settings")
    assert (info["distribution"], info["version"]) == ("shelf", "1.0")
    assert info["example_config"] == {"path": "y.db"}


@pytest.mark.parametrize("tool", ["get_adapter_info", "validate_adapter_config"])
async def test_an_unknown_name_gets_the_nearest(call: Callable[..., Any], tool: str):
    config = {"config": {}} if tool == "validate_adapter_config" else {}
    said = await call(tool, adapter_name="shlf", **config)
    assert said == "There is no adapter 'shlf'. Did you mean `shelf`?"


async def test_validate_tells_every_error_with_its_path_and_no_value(call: Callable[..., Any]):
    config = {"pth": CANARY, "readers": CANARY, "password": [CANARY]}
    answer = await call("validate_adapter_config", adapter_name="shelf", config=config)
    assert not answer["valid"]
    assert [(error["path"], error["suggestion"]) for error in answer["errors"]] == [
        ("readers", None),
        ("password", None),
        ("pth", "path"),
    ]
    assert CANARY not in str(answer)


async def test_validate_a_right_config(call: Callable[..., Any]):
    answer = await call("validate_adapter_config", adapter_name="shelf", config={"path": "x", "password": CANARY})
    assert answer == {"valid": True, "errors": [], "warnings": []}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"path": "x" * 1_000_000}, "The config is too large: it may hold 256 KiB of text."),
        ({"a\x00b": 1}, "A key holds a NUL or another character that can't be printed."),
    ],
)
async def test_a_config_that_is_not_fit_to_be_looked_at_is_a_clear_error(
    call: Callable[..., Any], config: dict[str, Any], said: str
):
    answer = await call("validate_adapter_config", adapter_name="shelf", config=config)
    assert [error["message"] for error in answer["errors"]] == [said]


async def test_a_config_of_very_many_unknown_keys_gets_a_short_answer(call: Callable[..., Any]):
    config = {f"key{number}": 1 for number in range(10_000)}
    answer = await call("validate_adapter_config", adapter_name="shelf", config=config)
    assert len(answer["errors"]) == 101
    assert answer["errors"][-1]["message"] == "9900 more are wrong."


async def test_deep_nesting_is_a_clear_error(call: Callable[..., Any]):
    value: Any = CANARY
    for _ in range(60):
        value = [value]
    answer = await call("validate_adapter_config", adapter_name="shelf", config={"path": value})
    assert [error["message"] for error in answer["errors"]] == ["The config is nested more than 32 levels deep."]


async def test_the_status_follows_the_config_file_while_the_server_runs(call: Callable[..., Any], site: Site):
    async def status() -> str:
        (found,) = [it["status"] for it in (await call("list_adapters"))["result"] if it["name"] == "shelf"]
        return str(found)

    assert await status() == "available"
    site.configure("adapters: {orders: {adapter: shelf}}")
    assert await status() == "configured"
    assert (await call("get_adapter_info", adapter_name="shelf"))["instances"] == ["orders"]
    site.configure("adapters: {")
    assert await status() == "available"
    site.configure("adapters: {shelf: {}}")
    assert await status() == "configured"
    (site.work / "oneiric.yaml").unlink()
    assert await status() == "available"


async def test_a_missing_driver_is_an_error_with_the_pip_command(site: Site):
    site.install_adapter("orbit", "import no_such_driver\nclass Shelf: pass")
    async with Client(build_server()) as client:
        answer = await client.call_tool("list_adapters")
        (orbit,) = [it for it in answer.structured_content["result"] if it["name"] == "orbit"]
        assert orbit["status"] == "error"
        assert orbit["error"] == (
            "orbit: It needs `no_such_driver`, which is not installed. Run: pip install --force-reinstall orbit"
        )
        answer = await client.call_tool("validate_adapter_config", {"adapter_name": "orbit", "config": {}})
        assert answer.structured_content["valid"]
        assert "no_such_driver" in answer.structured_content["warnings"][0]


async def test_no_tool_imports_an_adapter(call: Callable[..., Any], client: Client[Any]):
    await call("list_adapters")
    await call("get_adapter_info", adapter_name="shelf")
    await call("validate_adapter_config", adapter_name="shelf", config={})
    await client.read_resource("adapters://")
    await client.read_resource("adapters://shelf")
    assert "shelf" in sys.modules
    assert "shelf_adapter" not in sys.modules
