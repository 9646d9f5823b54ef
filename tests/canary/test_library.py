"""The library as an application uses it: nothing that it gives, raises, logs or shows of itself holds a secret."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import stat
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterManager, ConfigStore, Limits, OneiricError, discover
from oneiric.config import (
    apply_plan,
    explain,
    history_of,
    plan_change,
    plan_rollback,
    problems_of,
    schemes_of,
    spec_of,
)
from oneiric.diagnostics import AllowedTargets, check_connection

from .capture import capturing
from .world import FAILURES, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from pathlib import Path

    from .capture import Captured

LIMITS = Limits(init_timeout=5, init_attempts=2, health_timeout=1, cleanup_timeout=1, drain_timeout=1)
_log = logging.getLogger("application")


def tell(captured: Captured, error: BaseException) -> None:
    """Log an error as an application does, and take all that can be seen of it."""
    _log.exception("It failed: %s %r", error, error)
    captured.add(error)


async def taken(captured: Captured, call: Awaitable[Any]) -> Any:
    """What a call gives; what it raises is told."""
    try:
        answer = await call
    except BaseException as error:  # noqa: BLE001
        tell(captured, error)
        return None
    captured.add(answer)
    return answer


async def test_the_life_of_every_instance(world: World) -> None:
    asyncio.get_running_loop().set_debug(True)
    with capturing() as captured:
        config = ConfigStore.load(overrides=world.overrides)
        captured.add(config, dict(config), *config.values())
        async with AdapterManager(config, limits=LIMITS) as adapters:
            await asyncio.gather(*(live(adapters, name, captured) for name in config))
            captured.add(adapters)
        gc.collect()
    for sentence in (
        "It failed: ",
        "stamina.retry_scheduled",
        "The observer oneiric_adapter_init_failed of leaky raised",
    ):
        assert sentence in captured.text()
    world.check(captured.text())


async def live(adapters: AdapterManager, name: str, captured: Captured) -> None:
    adapter = await taken(captured, adapters.get(name))
    captured.add(adapters.error(name), await adapters.health(name))
    if adapter is not None:
        captured.add(adapter, adapter.settings)
    await taken(captured, adapters.swap(name, adapters.config[name].values))
    await taken(captured, adapters.cleanup(name))


@pytest.mark.parametrize("name", ["leaky_file", "leaky_by_env", "leaky_by_vault", "leaky_override", "unescaped_False"])
async def test_every_kind_of_call_through_a_handle(world: World, name: str) -> None:
    with capturing() as captured:
        async with AdapterManager.from_config(overrides=world.overrides) as adapters:
            leaky: Any = await adapters.get(name)
            for how in (*FAILURES["init"], "exits"):
                calls = (leaky.tell_later, called(leaky.tell), leaky.pending, called(locked(leaky)), listed(leaky.rows))
                for call in (*calls, *map(within(leaky), SPANS)):
                    await taken(captured, call(how))
            await taken(captured, leaky.rows("plain").aclose())
            for private in (leaky.health, called(lambda: leaky.broken)):
                await taken(captured, private())
            captured.add(leaky, leaky.settings, type(leaky), leaky.rows("plain"))
    world.check(captured.text())


SPANS = ("enter", "inside", "exit")


def called(function: Any) -> Any:
    async def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


def listed(rows: Any) -> Any:
    async def call(how: str) -> list[object]:
        return [row async for row in rows(how)]

    return call


def locked(leaky: Any) -> Any:
    def call(how: str) -> None:
        with leaky.lock(how):
            pass

    return call


def within(leaky: Any) -> Any:
    def at(place: str) -> Any:
        async def call(how: str) -> None:
            async with leaky.session(how, at=place) as tell_inside:
                if place == "inside":
                    tell_inside()

        return call

    return at


async def test_a_call_that_raises_after_its_deadline(world: World) -> None:
    instance = {**world.instances["leaky_file"], "how": "late"}
    overrides = {f"late_{at}": {**instance, "at": at} for at in ("init", "health", "cleanup")}
    limits = Limits(init_timeout=0.05, init_attempts=1, health_timeout=0.05, cleanup_timeout=0.05)
    with capturing() as captured:
        async with AdapterManager.from_config(overrides=overrides, limits=limits) as adapters:
            await asyncio.gather(*(live(adapters, name, captured) for name in overrides))
        gc.collect()
    assert "was not initialised within" in captured.text()
    world.check(captured.text())


async def test_a_signal_while_calls_are_under_way(world: World) -> None:
    limits = Limits(health_interval=0.01, health_timeout=0.1, drain_timeout=0.1, cleanup_timeout=0.1, init_attempts=1)
    with capturing() as captured:
        adapters = AdapterManager.from_config(limits=limits)
        await taken(captured, signalled(adapters, captured))
        gc.collect()
    assert "calls did not end within" in captured.text()
    world.check(captured.text())


async def signalled(adapters: AdapterManager, captured: Captured) -> None:
    names = [name for name in adapters.config if name.startswith(("health_", "cleanup_", "leaky_"))]
    async with adapters, adapters.until_signalled(), asyncio.TaskGroup() as tasks:
        for name in names:
            leaky = await taken(captured, adapters.get(name))
            if leaky is not None:
                tasks.create_task(leaky.tell_later("late"))
        for name in names:
            await adapters.health(name)
        os.kill(os.getpid(), signal.SIGTERM)


async def test_the_connection_test_of_every_instance(world: World) -> None:
    catalog, config = discover(), ConfigStore.load(overrides=world.overrides)
    allowed = AllowedTargets(frozenset({"127.0.0.1"}), tuple(config.values()))
    with capturing() as captured:
        for instance in config.values():
            for targets in (None, allowed, AllowedTargets(frozenset(), ())):
                test = check_connection(instance, catalog, variables=config.variables, timeout=2, allowed=targets)
                await taken(captured, test)
    assert "ConnectionFailed" in captured.text()
    world.check(captured.text())


async def test_the_config_of_every_instance(world: World) -> None:
    catalog, config = discover(), ConfigStore.load(overrides=world.overrides)
    with capturing() as captured:
        for instance in config.values():
            captured.add(instance)
            try:
                spec = spec_of(instance, catalog)
                schemes = schemes_of(catalog.hooks, config.variables)
                captured.add(
                    explain(instance, spec.settings), problems_of(spec.settings, instance.values, schemes), schemes
                )
                captured.add(spec.load()(instance.values).settings)
            except OneiricError as error:
                tell(captured, error)
    world.check(captured.text())


def test_changes_of_the_file_and_back(world: World, tmp_path: Path) -> None:
    path, catalog = tmp_path / "oneiric.yaml", discover()
    few = {name: world.instances[name] for name in FEW}
    path.write_text(json.dumps({"adapters": few}, indent=1, ensure_ascii=False), encoding="utf-8")
    path.chmod(0o640)
    with capturing() as captured:
        for name, changes in changes_of(world):
            try:
                plan = plan_change(name, changes, catalog, path=path)
                captured.add(plan, *plan.changes, plan.replacement, apply_plan(plan))
                back = plan_rollback(catalog, path=path)
                captured.add(back, *back.changes, apply_plan(back), history_of(path))
            except OneiricError as error:
                tell(captured, error)
    world.check(captured.text())
    modes = {str(each.relative_to(tmp_path)): stat.S_IMODE(each.stat().st_mode) for each in tmp_path.rglob("*")}
    kept = [mode for name, mode in modes.items() if name.endswith(".yaml") and "history" in name]
    assert len(kept) > 5
    assert set(kept) == {0o600}  # they rightly hold what the file held
    assert [mode for name, mode in modes.items() if name.endswith(".history")] == [0o700]
    assert modes["oneiric.yaml"] == 0o640


FEW = ("leaky_file", "leaky_by_env", "unescaped_True", "no_such_adapter")
"""Enough to be changed: reading and editing a file in pure Python takes its time."""


def changes_of(world: World) -> Iterator[tuple[str, Any]]:
    """Each instance removed, changed, copied and made wrong."""
    for name in FEW:
        values = world.instances[name]
        yield name, None
        yield name, {**values, "password": world.canaries.at(f"a change of {name}")}
        yield f"copy_of_{name}", values
        yield name, {"pasword": world.canaries.at(f"a wrong change of {name}")}
        yield name, {"adapter": "sqlite"}


BROKEN = {
    "an open quote": "adapters: {{x: {{password: '{0}'x, dsn: \"{0}}}",
    "a tab": "adapters:\n  x:\n\tpassword: {0}\n",
    "twice": "adapters:\n  x:\n    password: a{0}\n    password: b{0}\n",
    "an alias": "adapters:\n  x:\n    password: *{0}\n",
    "a tag": "adapters:\n  x:\n    password: !{0} {0}\n",
    "a number": "adapters:\n  x:\n    password: !!int {0}\n",
    "no mapping": "{0}",
    "a list": "adapters: [{0}]",
    "a text": "adapters: {0}",
    "an instance": "adapters:\n  x: {0}",
    "indentation": "adapters:\n  x:\n    dsn: a://b:{0}@c\n   password: {0}\n",
    "two colons": "adapters:\n  x:\n    password: {0}: {0}\n",
    "a control character": "adapters:\n  x:\n    password: {0}\x01\n",
    "an adapter": "adapters:\n  x:\n    adapter: [{0}]\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_config_file_that_is_wrong(world: World, tmp_path: Path, what: str) -> None:
    path = tmp_path / "oneiric.yaml"
    between = {"an alias": "", "a tag": ""}.get(what, "-x.y!z-")
    path.write_text(BROKEN[what].format(world.canaries.at(what, between)), encoding="utf-8")
    with capturing() as captured:
        try:
            config = ConfigStore.load(path)
            captured.add(problems_of(spec_of(config["x"], discover()).settings, config["x"].values, {}))
        except OneiricError as error:
            tell(captured, error)
    assert "It failed: " in captured.text()
    world.check(captured.text())


@pytest.mark.parametrize("variable", ["ONEIRIC_ADAPTERS", "ONEIRIC_ADAPTERS__X", "ONEIRIC_ADAPTERS__X__POOL"])
@pytest.mark.parametrize("text", ["{}", '["{}"]', '{{"x": "{}"', '{{"{}'])
def test_variables_that_are_wrong(world: World, variable: str, text: str) -> None:
    environ = {variable: text.format(world.canaries.at(f"{variable} {text}", between="-"))}
    with capturing() as captured:
        try:
            config = ConfigStore.load(environ=environ)
            captured.add(config, dict(config))
            problems_of(discover()["leaky"].settings, config["x"].values, {})
        except OneiricError as error:
            tell(captured, error)
    world.check(captured.text())
