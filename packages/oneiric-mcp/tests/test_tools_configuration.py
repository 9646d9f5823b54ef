"""The tools of the config, in memory, in both eras of the protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from oneiric_mcp import Installation, build_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from conftest import Site

CANARY = "hunter2-canary"
YAML = """\
# The shop's.
adapters:
  orders:            # its orders
    adapter: shelf
    password: hunter2-canary
"""


@pytest.fixture
def shop(living: Site) -> Site:
    living.configure(YAML)
    return living


@pytest.fixture(params=["auto", "legacy"])
async def client(shop: Site, request: pytest.FixtureRequest) -> AsyncIterator[Client[Any]]:
    """A client of a server that may write."""
    async with Client(build_server(Installation(), allow_writes=True), mode=request.param) as connected:
        yield connected


def text_of(site: Site) -> str:
    return (site.work / "oneiric.yaml").read_text(encoding="utf-8")


async def test_get_shows_each_value_and_its_source_and_no_secret(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ONEIRIC_ADAPTERS__ORDERS__READERS", "9")
    answer = await call("get_adapter_config", adapter_name="orders")
    assert {value["key"]: (value["value"], value["layer"], value["location"]) for value in answer["values"]} == {
        "adapter": ("shelf", "file", "oneiric.yaml:4"),
        "path": ("x.db", "default", None),
        "readers": ("9", "environment", "ONEIRIC_ADAPTERS__ORDERS__READERS"),
        "password": ("**********", "file", "oneiric.yaml:5"),
    }
    assert (answer["instance"], answer["adapter"], answer["problems"], answer["state"]) == (
        "orders",
        "shelf",
        [],
        "stopped",
    )


async def test_get_says_what_is_wrong_without_the_value(shop: Site, call: Callable[..., Any]):
    shop.configure(f"adapters: {{orders: {{adapter: shelf, readers: {CANARY}, pasword: {CANARY}}}}}")
    answer = await call("get_adapter_config", adapter_name="orders")
    assert [(problem["path"], problem["suggestion"]) for problem in answer["problems"]] == [
        ("readers", None),
        ("pasword", "password"),
    ]
    assert CANARY not in str([value for value in answer["values"] if value["key"] == "pasword"])


async def test_set_plans_and_writes_nothing_until_the_plan_comes_back(shop: Site, call: Callable[..., Any]):
    config = {"readers": 9, "password": {"$env": "SECRET"}}
    plan = await call("set_adapter_config", adapter_name="orders", config=config)
    assert plan["applied"] is False
    assert {change.pop("key"): change for change in plan["changes"]} == {
        "readers": {"before": None, "after": 9},
        "password": {"before": "**********", "after": {"$env": "SECRET"}},
    }
    assert text_of(shop) == YAML
    done = await call("set_adapter_config", adapter_name="orders", config=config, plan_hash=plan["plan_hash"])
    assert done["applied"] is True
    assert "# its orders" in text_of(shop)
    assert CANARY not in text_of(shop)
    assert CANARY not in str((plan, done))


async def test_confirm_plans_and_applies_in_one(shop: Site, call: Callable[..., Any]):
    done = await call("set_adapter_config", adapter_name="orders", config={"readers": 9}, confirm=True)
    assert (done["applied"], done["next_step"]) == (True, "Call test_adapter_connection to see whether it works.")
    assert "readers: 9" in text_of(shop)


async def test_a_literal_secret_is_written_masked_and_warned_of(shop: Site, call: Callable[..., Any]):
    done = await call("set_adapter_config", adapter_name="orders", config={"password": "hunter3"}, confirm=True)
    assert "hunter3" not in str(done)
    assert "a reference keeps a secret out" in done["warnings"][0]
    assert "hunter3" in text_of(shop)


async def test_null_removes_a_key_and_null_for_the_whole_the_instance(shop: Site, call: Callable[..., Any]):
    await call("set_adapter_config", adapter_name="orders", config={"password": None}, confirm=True)
    assert "password" not in text_of(shop)
    await call("set_adapter_config", adapter_name="orders", config=None, confirm=True)
    assert "No instance 'orders'" in await call("get_adapter_config", adapter_name="orders")


async def test_a_new_instance_and_a_new_file(shop: Site, call: Callable[..., Any]):
    (shop.work / "oneiric.yaml").unlink()
    done = await call("set_adapter_config", adapter_name="shelf", config={"path": "z"}, confirm=True)
    assert done["applied"] is True
    assert (await call("get_adapter_config", adapter_name="shelf"))["values"][1]["value"] == "z"


async def test_a_plan_of_another_change_or_another_file_is_refused(shop: Site, call: Callable[..., Any]):
    plan = await call("set_adapter_config", adapter_name="orders", config={"readers": 9})
    for config, change in (({"readers": 8}, YAML), ({"readers": 9}, YAML + "# more\n")):
        shop.configure(change)
        said = await call("set_adapter_config", adapter_name="orders", config=config, plan_hash=plan["plan_hash"])
        assert said.startswith("This plan_hash is not that of this change to the config file as it is now.")
        said = await call(
            "set_adapter_config", adapter_name="orders", config=config, plan_hash=plan["plan_hash"], confirm=True
        )
        assert said.startswith("This plan_hash is not")
        assert text_of(shop) == change
    for wrong in ("", "x", plan["plan_hash"][:-1], "*"):
        said = await call("set_adapter_config", adapter_name="orders", config={"readers": 9}, plan_hash=wrong)
        assert said.startswith("This plan_hash is not")


async def test_a_config_that_would_be_wrong_is_refused_with_every_problem_and_no_value(
    shop: Site, call: Callable[..., Any]
):
    config = {"readers": CANARY, "pasword": CANARY}
    said = await call("set_adapter_config", adapter_name="orders", config=config, confirm=True)
    assert "`readers`" in said
    assert "`password`" in said
    assert CANARY not in said
    assert text_of(shop) == YAML


@pytest.mark.parametrize(
    "arguments",
    [
        {"confirm": "true"},
        {"confirm": "yes"},
        {"confirm": 1},
        {"confirm": [True]},
        {"confirm": None},
        {"config": "hunter2"},
        {"config": [CANARY]},
        {"config": '{"readers": 9}'},
        {"config": "null"},
        {"config": ""},
        {"config": 5},
        {"config": True},
        {"plan_hash": 5},
        {"plan_hash": True},
        {"plan": "x"},
        {"adapter_name": None},
        {"adapter_name": 5},
    ],
    ids=str,
)
async def test_odd_arguments_write_nothing(shop: Site, client: Client[Any], arguments: dict[str, Any]):
    base = {"adapter_name": "orders", "config": {"readers": 9}}
    if "config" in arguments:
        base["confirm"] = True  # type: ignore[assignment]
    answer = await client.call_tool("set_adapter_config", base | arguments, raise_on_error=False)
    assert answer.is_error
    assert CANARY not in answer.content[0].text
    assert text_of(shop) == YAML


async def test_a_change_without_a_config_is_no_removal(shop: Site, client: Client[Any]):
    arguments = {"adapter_name": "orders", "confirm": True}
    assert (await client.call_tool("set_adapter_config", arguments, raise_on_error=False)).is_error
    assert text_of(shop) == YAML


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("orders", {"path": "x" * 1_000_000}),
        ("orders", {"a\x00b": 1}),
        ("orders", {"path": [[[[[[[[1]]]]]]]]}),
        ("orders", {f"key{number}": 1 for number in range(500)}),
        ("", {}),
        ("a\nb", {"adapter": "shelf"}),
        ("x" * 10_000, {"adapter": "shelf"}),
        ("../../etc/passwd", {}),
        ("new", {"adapter": "os:system"}),
        ("new", {"adapter": "shelf_adapter:Shelf"}),
        ("new", {"adapter": 5}),
        ("new", {}),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_huge_and_hostile_changes_are_refused_shortly(
    shop: Site, call: Callable[..., Any], name: str, config: Any
):
    said = await call("set_adapter_config", adapter_name=name, config=config, confirm=True)
    assert isinstance(said, str), said
    assert len(said) < 20_000
    assert text_of(shop) == YAML


async def test_many_writers_at_once_all_land_or_are_told(shop: Site, call: Callable[..., Any]):
    answers = await asyncio.gather(
        *(
            call("set_adapter_config", adapter_name=f"shelf{n}", config={"adapter": "shelf"}, confirm=True)
            for n in range(20)
        )
    )
    landed = {answer["instance"] for answer in answers if not isinstance(answer, str)}
    assert landed
    assert all("has changed" in answer for answer in answers if isinstance(answer, str)), answers
    assert {name for name in Installation().config if name != "orders"} == landed


async def test_a_running_instance_is_said_to_have_its_old_config(shop: Site, call: Callable[..., Any]):
    await call("initialize_adapter", adapter_name="orders")
    done = await call("set_adapter_config", adapter_name="orders", config={"path": "sick"}, confirm=True)
    assert done["next_step"].startswith("`orders` still runs here with its old config: call cleanup_adapter")
    assert (await call("check_adapter_health", adapter_name="orders"))["healthy"] is True
    assert (await call("get_adapter_config", adapter_name="orders"))["values"][1]["value"] == "sick"
    await call("set_adapter_config", adapter_name="orders", config=None, confirm=True)
    assert (await call("cleanup_adapter", adapter_name="orders"))["state"] == "stopped"


async def test_a_file_that_can_not_be_written_is_a_sentence(shop: Site, call: Callable[..., Any]):
    (shop.work / "oneiric.yaml").unlink()
    (shop.work / "oneiric.yaml").mkdir()
    said = await call("set_adapter_config", adapter_name="shelf", config={"path": "z"}, confirm=True)
    assert "oneiric.yaml" in said
    assert "Error calling tool" not in said


async def test_a_server_that_only_reads_offers_no_tool_that_writes(shop: Site):
    async with Client(build_server(Installation())) as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
        assert "set_adapter_config" not in tools
        assert not [name for name, tool in tools.items() if "config file" in str(tool.description)]
        arguments = {"adapter_name": "orders", "config": {"readers": 9}, "confirm": True}
        answer = await client.call_tool("set_adapter_config", arguments, raise_on_error=False)
        assert answer.content[0].text == "Unknown tool: 'set_adapter_config'"
    assert text_of(shop) == YAML


async def test_every_tool_is_typed_and_honest_about_what_it_does(client: Client[Any]):
    tools = {tool.name: tool for tool in await client.list_tools()}
    for tool in tools.values():
        assert str(tool.description).endswith(".")
        assert tool.output_schema
        assert tool.annotations
        assert tool.annotations.title
        assert all(field["description"] for field in tool.input_schema["properties"].values()), tool.name
    hints = {
        name: (tool.annotations.read_only_hint, tool.annotations.destructive_hint, tool.annotations.open_world_hint)
        for name, tool in tools.items()
        if tool.annotations
    }
    reads, tests, runs = (True, False, False), (True, False, True), (False, False, True)
    assert hints == {
        "list_adapters": reads,
        "get_adapter_info": reads,
        "validate_adapter_config": reads,
        "get_adapter_config": reads,
        "set_adapter_config": (False, True, False),
        "test_adapter_connection": tests,
        "initialize_adapter": runs,
        "check_adapter_health": runs,
        "cleanup_adapter": (False, True, True),
    }
