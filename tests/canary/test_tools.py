"""Every tool and resource of the MCP server, in memory and in both eras of the protocol: no answer, log or line of the audit
file holds a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from oneiric import discover
from oneiric_mcp import Installation, build_server
from oneiric_mcp.audit import AuditLog

from .capture import capturing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .capture import Captured
    from .world import World

    Arguments = dict[str, Any]

FEW = ("leaky_by_vault", "leaky_file", "init_plain")


def one_each(world: World) -> Iterator[Arguments]:
    yield from ({"adapter_name": name} for name in (*world.instances, *world.layered))


def configs(world: World) -> Iterator[Arguments]:
    """Configs that a client sends: right, misspelled, mistyped, of another adapter, aimed elsewhere."""
    for name in FEW:
        password = world.canaries.at(f"a config for {name}")
        yield {"adapter_name": name, "config": {"adapter": "leaky", "password": password, "at": "init"}}
        yield {"adapter_name": name, "config": {"pasword": password, "tokens": password, "pool": [password]}}
        yield {"adapter_name": name, "config": {"at": password, "adapter": "sqlite", "path": f"/nowhere/{password}"}}
        yield {
            "adapter_name": name,
            "config": {**world.instances["reached"], "dsn": f"a://b:{password}@169.254.169.254/"},
        }
        yield {
            "adapter_name": name,
            "config": {"password": {"$env": password}, "key": {"$vault": "SEALED_X", "y": password}},
        }


def adapters(world: World) -> Iterator[Arguments]:
    yield from ({"adapter_name": name} for name in ("leaky", "sqlite", "leeky"))


def validated(world: World) -> Iterator[Arguments]:
    for arguments in configs(world):
        config = {key: value for key, value in arguments["config"].items() if key != "adapter"}
        yield {"adapter_name": "leaky", "config": config}
        yield {"adapter_name": "sqlite", "config": config}


def changes(world: World) -> Iterator[Arguments]:
    for arguments in configs(world):
        if arguments["adapter_name"] == "leaky_file":
            yield arguments
    password = world.canaries.at("a change that is made")
    for name in ("leaky_file", "another"):
        yield {"adapter_name": name, "config": {"password": password, "dsn": f"a://b:{password}@c"}, "confirm": True}
        yield {"adapter_name": name, "config": None, "confirm": True}


def tried(world: World) -> Iterator[Arguments]:
    yield from one_each(world)
    yield from configs(world)


CALLS: dict[str, Callable[[World], Iterator[Arguments]]] = {
    "list_adapters": lambda _: iter([{}, {"adapter_type": "leaky"}, {"adapter_type": "leeky"}]),
    "get_adapter_info": adapters,
    "validate_adapter_config": validated,
    "get_adapter_config": one_each,
    "test_adapter_connection": tried,
    "initialize_adapter": one_each,
    "check_adapter_health": one_each,
    "cleanup_adapter": one_each,
    "set_adapter_config": changes,
}
"""Each tool, in an order in which they make sense, with the arguments that it is called with."""

RESOURCES = ("adapters://", "adapters://leaky", "adapters://sqlite", "adapters://leeky")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_no_tool_or_resource_shows_a_secret(world: World, tmp_path: Path, mode: Any) -> None:
    audit = tmp_path / "audit.jsonl"
    config = world.copy_to(tmp_path, small=mode == "legacy")
    server = build_server(Installation(config), allow_writes=True, allowed_hosts=["127.0.0.1"], audit=AuditLog(audit))
    with capturing() as captured:
        async with Client(server, mode=mode) as client:
            offered = {tool.name: tool for tool in await client.list_tools()}
            assert CALLS.keys() == offered.keys(), (
                "give CALLS the calls of each new tool, right and wrong, with secrets"
            )
            captured.add(*offered.values(), await client.list_prompts())
            for name, arguments_of in CALLS.items():
                wrong = wrongly_called(world, offered[name])
                for arguments in (*arguments_of(world), *wrong):
                    captured.add(await client.call_tool(name, arguments, raise_on_error=False))
                await read_all(client, captured)
    assert '"tool": "set_adapter_config"' in audit.read_text(encoding="utf-8")
    assert "applied=True" in captured.text() or "'applied': True" in captured.text()
    world.check(captured.text())
    world.check(audit.read_text(encoding="utf-8"))


def wrongly_called(world: World, tool: Any) -> Iterator[Arguments]:
    """With values of other types than they should be, and with an argument that there isn't."""
    known = {"adapter_name": "leaky_file", "config": {}} | {"plan_hash": None}
    right = {name: known[name] for name in tool.input_schema.get("required", ()) if name in known}
    for name in (*tool.input_schema["properties"], "pasword"):
        text = world.canaries.at(f"{tool.name}: {name}")
        for value in (
            [text],
            {"value": {text: text}},
            *([] if name == "adapter_name" or name == "adapter_type" else [text]),
        ):
            yield {**right, name: value}


async def read_all(client: Client[Any], captured: Captured) -> None:
    captured.add(await client.list_resources(), await client.list_resource_templates())
    for uri in RESOURCES:
        try:
            captured.add(await client.read_resource(uri))
        except Exception as error:  # noqa: BLE001
            captured.add(error)


async def test_the_resources_are_these(world: World) -> None:
    async with Client(build_server(Installation())) as client:
        assert [str(resource.uri) for resource in await client.list_resources()] == ["adapters://"]
        templates = {template.uri_template for template in await client.list_resource_templates()}
        assert templates == {"adapters://{adapter_name}", "adapters/{adapter_name}"}
    assert {"leaky", "sqlite"} <= {spec.name for spec in discover()}
