"""The resources, in both eras, and the relative template by raw JSON-RPC."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from mcp import MCPError

if TYPE_CHECKING:
    from conftest import Site, Starter
    from fastmcp import Client


async def read(client: Client[Any], uri: str) -> Any:
    (content,) = await client.read_resource(uri)
    assert content.mime_type == "application/json"
    return json.loads(content.text)


async def test_they_are_listed(client: Client[Any]):
    assert [str(resource.uri) for resource in await client.list_resources()] == ["adapters://"]
    templates = {template.uri_template for template in await client.list_resource_templates()}
    assert templates == {"adapters://{adapter_name}", "adapters/{adapter_name}"}


async def test_everything_installed_broken_plugins_included(client: Client[Any], site: Site):
    site.configure("adapters: {orders: {adapter: shelf, password: hunter2}}")
    answer = await read(client, "adapters://")
    assert "shelf" in [adapter["name"] for adapter in answer["adapters"]]
    assert ("shelf", "loaded") in [(plugin["name"], plugin["status"]) for plugin in answer["plugins"]]
    assert answer["instances"] == {"orders": "shelf"}
    assert answer["config_error"] is None
    assert "hunter2" not in json.dumps(answer)


async def test_a_config_that_can_not_be_read_is_said(client: Client[Any], site: Site):
    site.configure("adapters: {orders: {password: hunter2, password: hunter3}}")
    answer = await read(client, "adapters://")
    assert "the key `password` is there twice" in answer["config_error"]
    assert "hunter" not in answer["config_error"]


async def test_one_adapter(client: Client[Any]):
    assert (await read(client, "adapters://shelf"))["class"] == "shelf_adapter:Shelf"


@pytest.mark.parametrize("uri", ["adapters://shlf", "adapters://shl%66"])
async def test_an_unknown_adapter_is_invalid_params_with_the_nearest(client: Client[Any], uri: str):
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.error.code == -32602
    assert "Did you mean `shelf`?" in caught.value.error.message


@pytest.mark.parametrize("uri", ["adapters://a/b", "other://shelf", "adapters://%00", "adapters://" + "x" * 5000])
async def test_what_is_no_resource_is_an_error(client: Client[Any], uri: str):
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.error.code == -32602
    assert len(caught.value.error.message) < 6000


async def test_the_relative_template_by_raw_json_rpc(start: Starter):
    async with start() as server:
        await server.greet()
        for number, uri in enumerate(("adapters/shelf", "adapters://shelf"), start=1):
            answer = await server.ask("resources/read", {"uri": uri}, id=number)
            assert json.loads(answer["result"]["contents"][0]["text"])["name"] == "shelf"
        for number, uri in enumerate(("adapters/shlf", "adapters://shlf", "adapters/", "nothing"), start=10):
            answer = await server.ask("resources/read", {"uri": uri}, id=number)
            assert answer["error"]["code"] == -32602, answer
            assert ("`shelf`" in answer["error"]["message"]) is ("shlf" in uri)
