"""How an application and a plugin's author use the API, for the type checker: checked, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from oneiric import Adapter, AdapterManager, AdapterSettings, AdapterSpec, Endpoint, Health, Targets, discover, hookimpl
from oneiric.adapters.database import DatabaseAdapter, Row, Transaction
from oneiric_sqlite import SqliteAdapter, SqliteSettings

if TYPE_CHECKING:
    from collections.abc import Iterable


class PigeonSettings(AdapterSettings):
    loft: str
    pigeons: int = 3

    def targets(self) -> Targets:
        return Targets(endpoints=(Endpoint(self.loft, 7),), files=("/etc/pigeons",))


class PigeonPost(Adapter):
    settings_class = PigeonSettings
    settings: PigeonSettings

    async def init(self) -> None:
        assert_type(self.settings.pigeons, int)

    async def health(self) -> Health:
        return Health(ok=True)

    async def cleanup(self) -> None:
        pass


@hookimpl
def oneiric_adapters() -> Iterable[AdapterSpec]:
    yield AdapterSpec(
        "pigeon-post",
        type="messaging",
        summary="Messages by pigeon.",
        adapter="pigeons:PigeonPost",
        settings=PigeonSettings,
        capabilities=frozenset({"durable"}),
        example={"loft": "roof"},
    )


async def application() -> None:
    async with AdapterManager.from_config(overrides={"orders": {"adapter": "sqlite"}}) as adapters:
        assert_type(await adapters.get("post"), Adapter)
        orders = await adapters.get("orders", DatabaseAdapter)
        assert_type(orders, DatabaseAdapter)
        assert_type(await orders.execute("delete from orders where id = $1", 7), int)
        assert_type(await orders.fetch_one("select 1"), Row | None)
        assert_type(await orders.fetch_value("select 1"), Any)
        for row in await orders.fetch_all("select id, total from orders", timeout=2):
            print(row["total"], row[0], row[0:2], list(row.keys()))
        async for row in orders.stream("select 1"):
            assert_type(row, Row)
        async with orders.transaction() as transaction, transaction.transaction() as nested:
            assert_type(nested, Transaction)
            await nested.insert_many("orders", ["id"], [[1], [2]])
        assert_type(await adapters.health("orders"), Health)
    async with SqliteAdapter(SqliteSettings(path=":memory:")) as memory:
        assert_type(memory, SqliteAdapter)
    async with PigeonPost({"loft": "roof"}) as post:
        assert_type(post.settings, PigeonSettings)
    for spec in discover():
        assert_type(spec, AdapterSpec)
