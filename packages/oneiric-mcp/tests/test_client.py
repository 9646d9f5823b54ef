"""The client and a real server over HTTP: what it learns, and the adapters that it makes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import Catalog, State, discover
from oneiric.adapters.queue import QueueAdapter
from oneiric.diagnostics import StageName
from oneiric.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectionFailed,
    NotInitialized,
    UnknownAdapter,
    UnresolvedReference,
)
from oneiric_mcp.client import OneiricAdapterClient, ToolFailed, ValueMasked

from .conftest import LIVING_ADAPTER

if TYPE_CHECKING:
    from .conftest import Site, Starter

CANARY = "canary-7f3a"
NESTED = """
from oneiric import AdapterSettings, AdapterSpec, hookimpl

class Pool(AdapterSettings):
    size: int = 1
    idle: int = 2

class Settings(AdapterSettings):
    pool: Pool = Pool()
    hosts: list[str] = []
    labels: dict[str, int] = {}

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("nested", type="shelf", summary="One.", adapter="nested_adapter:Nested", settings=Settings)]
"""


@pytest.fixture
def living(site: Site) -> Site:
    """The site with an instance `orders` of an adapter that writes down its life."""
    site.replace_adapter("shelf", LIVING_ADAPTER)
    site.configure("adapters: {orders: {adapter: shelf, path: here.db}}")
    return site


async def test_it_asks_what_the_tools_answer(living: Site, start: Starter) -> None:
    async with start("--http", "--port", "0") as server, OneiricAdapterClient(server.url) as client:
        summary = next(each for each in await client.get_available_adapters() if each.name == "shelf")
        assert (summary.name, summary.type, summary.status) == ("shelf", "shelf", "configured")
        assert summary.settings_schema["properties"]["path"]["default"] == "x.db"
        assert "shelf" not in {each.name for each in await client.get_available_adapters("queue")}
        assert await client.get_available_adapters("shelf") == [summary]
        info = await client.get_adapter_info("shelf")
        assert (info.adapter_class, info.instances) == ("shelf_adapter:Shelf", ["orders"])
        config = await client.get_adapter_config("orders")
        assert (config.adapter, config.adapter_class, config.state) == ("shelf", "shelf_adapter:Shelf", State.STOPPED)
        assert {value.key: value.value for value in config.values}["path"] == "here.db"
        assert (await client.validate_adapter_config("shelf", {"path": "a.db"})).valid
        wrong = await client.validate_adapter_config("shelf", {"paht": "a.db"})
        assert [(problem.path, problem.suggestion) for problem in wrong.errors] == [("paht", "path")]
        tested = await client.test_adapter_connection("orders")
        assert tested.success
        assert [stage.name for stage in tested.stages] == list(StageName)
        assert not (await client.test_adapter_connection("orders", {"path": "down"})).success


async def test_it_loads_an_adapter_and_cleans_it_up(living: Site, start: Starter) -> None:
    async with start("--http", "--port", "0") as server:
        async with OneiricAdapterClient(server.url) as client:
            adapter = await client.load("orders")
            assert living.life == ["orders init", "orders ready"]
            assert adapter.settings.model_dump(include={"path", "readers"}) == {"path": "here.db", "readers": 4}
            assert adapter.name == "orders"
            assert await client.load("orders") is adapter
        assert living.life == ["orders init", "orders ready", "orders cleanup"]


async def test_many_that_load_at_once_initialise_once(living: Site, start: Starter) -> None:
    async with start("--http", "--port", "0") as server, OneiricAdapterClient(server.url) as client:
        adapters = await asyncio.gather(*(client.load("orders") for _ in range(20)))
    assert len({id(adapter) for adapter in adapters}) == 1
    assert living.life.count("orders init") == 1


async def test_references_are_resolved_here_and_nowhere_else(living: Site, start: Starter) -> None:
    living.configure("adapters: {orders: {adapter: shelf, password: {$env: HERE}}}")
    async with start("--http", "--port", "0") as server:
        async with OneiricAdapterClient(server.url, variables={"HERE": CANARY}) as client:
            config = await client.get_adapter_config("orders")
            assert {value.key: value.value for value in config.values}["password"] == {"$env": "HERE"}
            assert (await client.load("orders")).settings.password.get_secret_value() == CANARY  # type: ignore[attr-defined]
        async with OneiricAdapterClient(server.url, variables={}) as client:
            with pytest.raises(UnresolvedReference, match="HERE is not set"):
                await client.load("orders")


async def test_a_secret_that_was_masked_on_the_way_is_named_and_not_used(living: Site, start: Starter) -> None:
    living.configure(f"adapters: {{orders: {{adapter: shelf, password: {CANARY}}}}}")
    async with start("--http", "--port", "0") as server, OneiricAdapterClient(server.url) as client:
        with pytest.raises(ValueMasked, match="`password` of `orders`") as caught:
            await client.load("orders")
    assert CANARY not in str(caught.value)
    assert "{$env: NAME}" in (caught.value.hint or "")
    assert living.life == []


async def test_an_adapter_is_not_loaded_that_is_not_installed_here(living: Site, start: Starter) -> None:
    async with (
        start("--http", "--port", "0") as server,
        OneiricAdapterClient(server.url, catalog=Catalog([])) as client,
    ):
        with pytest.raises(UnknownAdapter, match="`orders` has no adapter: There is no adapter 'shelf'"):
            await client.load("orders")


async def test_what_the_server_knows_nothing_of_is_its_own_sentence(living: Site, start: Starter) -> None:
    async with start("--http", "--port", "0") as server, OneiricAdapterClient(server.url) as client:
        with pytest.raises(
            ToolFailed, match=r"with an error: No instance 'order' is configured\. Did you mean `orders`"
        ):
            await client.load("order")
        with pytest.raises(ToolFailed, match=r"There is no adapter 'shelv'"):
            await client.get_adapter_info("shelv")


async def test_a_contract_that_the_adapter_does_not_fulfil_is_refused(living: Site, start: Starter) -> None:
    async with start("--http", "--port", "0") as server, OneiricAdapterClient(server.url) as client:
        with pytest.raises(ConfigError, match="is a Shelf, not a QueueAdapter"):
            await client.load("orders", QueueAdapter)


async def test_an_init_that_failed_is_tried_again(living: Site, start: Starter) -> None:
    living.configure("adapters: {orders: {adapter: shelf, path: bug}}")
    async with start("--http", "--port", "0") as server, OneiricAdapterClient(server.url) as client:
        with pytest.raises(RuntimeError):
            await client.load("orders")
        living.configure("adapters: {orders: {adapter: shelf, path: here.db}}")
        assert await (await client.load("orders")).health()
    assert living.life == ["orders init", "orders cleanup", "orders init", "orders ready", "orders cleanup"]


async def test_the_server_may_be_restarted_between_two_calls(living: Site, start: Starter) -> None:
    async with start("--http", "--port", "0") as server:
        client = OneiricAdapterClient(server.url)
        await client.get_available_adapters()
        server.process.kill()
        await server.process.wait()
        with pytest.raises(ConnectionFailed, match="can't be reached") as caught:
            await client.get_available_adapters()
    assert caught.value.transient
    async with start("--http", "--port", server.url.split(":")[2].split("/")[0]), client:
        assert await client.get_available_adapters("shelf")


async def test_a_token_is_sent_and_never_shown(living: Site, start: Starter) -> None:
    made = living.run("-m", "oneiric", "tokens", "create", "app", "--scope", "adapters:read", "--file", "tokens.json")
    token = next(word for word in made.stdout.split() if word.startswith("oneiric_"))
    async with start("--http", "--port", "0", "--tokens", "tokens.json") as server:
        async with OneiricAdapterClient(server.url, token=token) as client:
            assert await client.get_available_adapters("shelf")
        for wrong in (None, f"oneiric_{CANARY}"):
            async with OneiricAdapterClient(server.url, token=wrong) as client:
                with pytest.raises(AuthenticationFailed, match="HTTP 401") as caught:
                    await client.get_available_adapters()
                assert CANARY not in f"{caught.value!r}{vars(caught.value)}{vars(client)}"


def test_a_token_does_not_go_about_in_the_clear() -> None:
    with pytest.raises(ConfigError, match="readable on its way"):
        OneiricAdapterClient("http://mcp.internal:8679/mcp", token=CANARY)
    with pytest.raises(ConfigError, match="readable on its way") as caught:
        OneiricAdapterClient(f"http://app:{CANARY}@mcp.internal/mcp")
    assert CANARY not in str(caught.value)
    OneiricAdapterClient("https://mcp.internal:8679/mcp", token=CANARY)
    OneiricAdapterClient("http://[::1]:8679/mcp", token=CANARY)


@pytest.mark.parametrize("url", ["", "mcp", "ftp://127.0.0.1/mcp", "http://", "file:///etc/passwd", None])
def test_a_url_that_can_not_be_is_refused(url: Any) -> None:
    with pytest.raises(ConfigError, match="should start with http"):
        OneiricAdapterClient(url)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://127.0.0.1:8679", "http://127.0.0.1:8679/mcp"),
        ("http://127.0.0.1:8679/", "http://127.0.0.1:8679/mcp"),
        ("https://mcp.internal/oneiric/mcp/", "https://mcp.internal/oneiric/mcp/"),
        (f"https://app:{CANARY}@mcp.internal/mcp", "https://app:**********@mcp.internal/mcp"),
    ],
)
def test_the_url_is_taken_as_it_is_but_for_a_missing_path(given: str, shown: str) -> None:
    assert OneiricAdapterClient(given).url == shown


async def test_a_client_that_is_closed_takes_no_calls(living: Site) -> None:
    client = OneiricAdapterClient("http://127.0.0.1:9/mcp")
    await client.close()
    await client.close()
    with pytest.raises(NotInitialized, match="is closed"):
        await client.get_available_adapters()


async def test_nested_settings_and_layers_arrive(site: Site, start: Starter) -> None:
    site.install(
        "nested", NESTED, nested_adapter=LIVING_ADAPTER.replace("Shelf", "Nested").replace("self.settings.path", "''")
    )
    site.configure("adapters: {nested: {pool: {size: 7}, hosts: [a, b], labels: {x.y: 1}}}")
    catalog = discover(refresh=True)
    async with (
        start("--http", "--port", "0", ONEIRIC_ADAPTERS__NESTED__POOL__IDLE="9") as server,
        OneiricAdapterClient(server.url, catalog=catalog) as client,
    ):
        instance = await client.get_instance("nested")
        adapter = await client.load("nested")
    assert dict(instance.values) == {
        "pool": {"size": 7, "idle": "9"},
        "hosts": ["a", "b"],
        "labels": {"x.y": 1},
    }
    assert adapter.settings.model_dump() == {"pool": {"size": 7, "idle": 9}, "hosts": ["a", "b"], "labels": {"x.y": 1}}
