"""From an instance's values to its adapter: what becomes of references and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oneiric import Adapter, AdapterManager, AdapterSettings, ConfigStore, ConnectionFailed, InitFailed
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Site
    from oneiric import Catalog

PROGRAM = """
import asyncio, sys, threading, types
import pluggy
from oneiric import Adapter, AdapterManager, AdapterSettings, AdapterSpec, Catalog, ConfigStore, Limits
from oneiric import DeadlineExceeded, hookimpl, hookspecs
from pydantic import SecretStr

class Settings(AdapterSettings):
    password: SecretStr = SecretStr("")

class Plain(Adapter):
    settings_class = Settings
    async def init(self): ...
    async def health(self): return True
    async def cleanup(self): ...

class Vault:
    @hookimpl
    def oneiric_secret_resolvers(self):
        return {"vault": lambda name: threading.Event().wait()}

module = sys.modules["plain_adapter"] = types.ModuleType("plain_adapter")
module.Plain = Plain
hooks = pluggy.PluginManager("oneiric")
hooks.add_hookspecs(hookspecs)
hooks.register(Vault())
spec = AdapterSpec("plain", type="queue", summary="A.", adapter="plain_adapter:Plain", settings=Settings)
config = ConfigStore.load(overrides={"plain": {"password": {"$vault": "x"}}}, environ={})

async def main():
    async with AdapterManager(config, Catalog([spec], hooks=hooks), limits=Limits(init_timeout=0.2)) as adapters:
        try:
            await adapters.get("plain")
        except DeadlineExceeded as error:
            print(error)

asyncio.run(main())
"""


def test_a_resolver_that_hangs_keeps_no_program_from_its_end(site: Site):
    done = site.python("-c", PROGRAM)
    assert done.stdout.strip() == "The references of `plain` were not resolved within 0.2 s.", done.stderr
    assert done.returncode == 0


class Settings(AdapterSettings):
    password: SecretStr = SecretStr("")
    user: str = "app"


class Talkative(Adapter):
    settings_class = Settings
    settings: Settings

    async def init(self) -> None: ...

    async def health(self) -> bool:
        return True

    async def cleanup(self) -> None: ...

    async def call(self) -> None:
        raise ConnectionFailed(f"`{self.name}` refused {self.settings.password.get_secret_value()}.", adapter=self.name)

    async def sign_in(self) -> None:
        raise ConnectionFailed(f"Nobody is called {self.settings.user}.")


class Unmade(Talkative):
    def __init__(self, settings: Settings) -> None:
        raise ValueError(f"{settings.password.get_secret_value()} is too short")


@pytest.mark.parametrize(("password", "shown"), [("orders", "orders"), ("ord", "ord"), ("hunter2", "**********")])
async def test_a_secret_that_is_a_part_of_a_public_name_does_not_make_that_unreadable(
    password: str, shown: str, catalog_of: Callable[..., Catalog]
):
    config = ConfigStore.load(overrides={"orders": {"adapter": "talkative", "password": password}}, environ={})
    async with AdapterManager(config, catalog_of(talkative=Talkative)) as adapters:
        adapter = await adapters.get("orders", Talkative)
        with pytest.raises(ConnectionFailed) as caught:
            await adapter.call()
    assert caught.value.adapter == "orders"
    assert str(caught.value) == f"`orders` refused {shown}."


async def test_what_a_reference_stands_for_is_a_secret_whatever_its_setting(catalog_of: Callable[..., Catalog]):
    config = ConfigStore.load(
        overrides={"orders": {"adapter": "talkative", "user": {"$env": "ORDERS_USER"}}},
        environ={"ORDERS_USER": "hunter2"},
    )
    async with AdapterManager(config, catalog_of(talkative=Talkative)) as adapters:
        with pytest.raises(ConnectionFailed, match=r"^Nobody is called \*+\.$"):
            await (await adapters.get("orders", Talkative)).sign_in()


async def test_the_error_of_a_constructor_shows_no_secret(catalog_of: Callable[..., Catalog]):
    config = ConfigStore.load(overrides={"orders": {"adapter": "unmade", "password": "hunter2"}}, environ={})
    async with AdapterManager(config, catalog_of(unmade=Unmade)) as adapters:
        with pytest.raises(InitFailed, match="Making the Unmade of `orders` raised ValueError") as caught:
            await adapters.get("orders")
    assert str(caught.value.__cause__) == "********** is too short"
