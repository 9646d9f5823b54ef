"""Plugins that watch the lifecycle: they are told what happens, and nothing that they do comes back."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pluggy
import pytest
from oneiric import (
    Adapter,
    AdapterManager,
    AdapterSettings,
    AdapterSpec,
    Catalog,
    ConfigStore,
    ConnectionFailed,
    InitFailed,
    hookimpl,
)
from oneiric import hookspecs as specs
from pydantic import SecretStr


class Settings(AdapterSettings):
    password: SecretStr = SecretStr("hunter2")


class Watched(Adapter):
    settings_class = Settings
    fails = ""

    async def init(self) -> None:
        if self.fails == "init":
            raise ConnectionFailed("away")

    async def health(self) -> bool:
        return self.fails != "health"

    async def cleanup(self) -> None:
        if self.fails == "cleanup":
            raise OSError("hunter2")


class Recorder:
    """Observes with plain functions and with coroutines, each asking for some of the facts."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.said = ""

    @hookimpl
    def oneiric_adapter_initializing(self, instance: str, spec: AdapterSpec) -> None:
        self.seen.append(("initializing", instance, spec.name))

    @hookimpl
    async def oneiric_adapter_initialized(self, seconds: float, instance: str) -> None:
        await asyncio.sleep(0)
        self.seen.append(("initialized", instance, seconds > 0))

    @hookimpl
    def oneiric_adapter_init_failed(self, error: Exception) -> None:
        self.seen.append(("init_failed", type(error)))

    @hookimpl
    async def oneiric_adapter_health_checked(self, health: Any) -> None:
        self.seen.append(("health_checked", bool(health)))

    @hookimpl
    def oneiric_adapter_cleaning_up(self) -> None:
        self.seen.append(("cleaning_up",))

    @hookimpl
    def oneiric_adapter_cleaned_up(self, error: Exception | None) -> None:
        self.seen.append(("cleaned_up", type(error)))
        self.said = str(error)


class Hostile:
    """Does in each hook what an observer must not."""

    @hookimpl
    def oneiric_adapter_initializing(self) -> None:
        raise RuntimeError("hunter2")

    @hookimpl
    async def oneiric_adapter_initialized(self) -> None:
        await asyncio.Event().wait()

    @hookimpl
    async def oneiric_adapter_health_checked(self) -> None:
        raise asyncio.CancelledError

    @hookimpl
    def oneiric_adapter_cleaning_up(self) -> None:
        raise asyncio.CancelledError

    @hookimpl
    async def oneiric_adapter_cleaned_up(self) -> None:
        raise SystemExit("hunter2")


def manager(monkeypatch: pytest.MonkeyPatch, *plugins: object, fails: str = "") -> AdapterManager:
    monkeypatch.setattr(AdapterSpec, "load", lambda _: type("Adapter", (Watched,), {"fails": fails}))
    hooks = pluggy.PluginManager(specs.PROJECT)
    hooks.add_hookspecs(specs)
    for plugin in plugins:
        hooks.register(plugin)
    spec = AdapterSpec("watched", type="database", summary="A.", adapter="watched:Watched", settings=Settings)
    return AdapterManager(ConfigStore.load(overrides={"watched": {}}, environ={}), Catalog([spec], hooks=hooks))


async def test_an_observer_is_told_of_a_whole_life(monkeypatch: pytest.MonkeyPatch):
    recorder = Recorder()
    async with manager(monkeypatch, recorder) as adapters:
        await adapters.get("watched")
        await adapters.health("watched")
    assert recorder.seen == [
        ("initializing", "watched", "watched"),
        ("initialized", "watched", True),
        ("health_checked", True),
        ("cleaning_up",),
        ("cleaned_up", type(None)),
    ]


async def test_an_observer_is_told_of_failures(monkeypatch: pytest.MonkeyPatch):
    recorder = Recorder()
    with pytest.raises(ConnectionFailed):
        await manager(monkeypatch, recorder, fails="init").get("watched")
    async with manager(monkeypatch, recorder, fails="cleanup") as adapters:
        await adapters.get("watched")
    told = [event[0] for event in recorder.seen]
    assert told == ["initializing", "init_failed", *told[2:]]
    assert ("init_failed", ConnectionFailed) in recorder.seen
    assert recorder.seen[-1] == ("cleaned_up", OSError)
    assert recorder.said == "**********"


async def test_an_observer_can_not_break_what_it_watches(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("oneiric.lifecycle.observers._PATIENCE", 0.05)
    recorder = Recorder()
    async with manager(monkeypatch, Hostile(), recorder, Hostile()) as adapters:
        assert await adapters.get("watched")
        assert await adapters.health("watched")
    assert [event[0] for event in recorder.seen] == [
        "initializing",
        "initialized",
        "health_checked",
        "cleaning_up",
        "cleaned_up",
    ]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 10
    assert "hunter2" not in caplog.text
    assert len(asyncio.all_tasks()) == 1


async def test_nobody_is_told_of_an_adapter_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    recorder = Recorder()
    adapters = manager(monkeypatch, recorder)
    adapters.config = ConfigStore.load(overrides={"gone": {}}, environ={})
    with pytest.raises(LookupError):
        await adapters.get("gone")
    assert recorder.seen == []
    assert not isinstance(adapters.error("gone"), InitFailed)


async def test_an_instance_of_no_installed_adapter_is_named_and_told_what_to_say(monkeypatch: pytest.MonkeyPatch):
    adapters = manager(monkeypatch)
    adapters.config = ConfigStore.load(overrides={"orders": {}, "other": {"adapter": "wathced"}}, environ={})
    with pytest.raises(LookupError, match=r"The instance `orders` has no adapter: .* Say which it is: `adapter: …`"):
        await adapters.get("orders")
    with pytest.raises(LookupError, match=r"The instance `other` has no adapter: .* Did you mean `watched`"):
        await adapters.get("other")
