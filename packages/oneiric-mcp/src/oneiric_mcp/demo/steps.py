"""The steps of the demo for one adapter, each with what came of it."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastmcp.exceptions import ToolError
from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.messaging import MessageAdapter
from oneiric.adapters.queue import QueueAdapter
from oneiric.adapters.vector import VectorAdapter
from oneiric.config import ConfigStore, Instance
from oneiric.diagnostics import check_connection
from oneiric.errors import OneiricError
from oneiric.inspection import AdapterInfo, AdapterSummary, ConfigValidation
from oneiric.lifecycle import AdapterManager, State

from oneiric_mcp.demo.database import use_database
from oneiric_mcp.demo.messaging import use_messaging
from oneiric_mcp.demo.queue import use_queue
from oneiric_mcp.demo.swap import swap_under_load
from oneiric_mcp.demo.vector import use_vector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from fastmcp import Client
    from oneiric.adapters.base import Adapter
    from oneiric.discovery import Catalog
    from oneiric.spec import AdapterSpec


@dataclass(frozen=True, slots=True)
class Step:
    """One step and what came of it."""

    adapter: str
    step: str
    ok: bool
    detail: str
    ms: float


@dataclass
class Stopwatch:
    """Makes steps, each with the time since the one before."""

    adapter: str
    started: float = field(default_factory=time.perf_counter)

    def step(self, name: str, detail: str, *, ok: bool = True) -> Step:
        """The step that ends now."""
        now = time.perf_counter()
        self.started, ms = now, (now - self.started) * 1000
        return Step(self.adapter, name, ok, detail, ms)


LIFE = (
    "discover",
    "explain",
    "validate",
    "validate a bad config",
    "test",
    "initialise",
    "use",
    "swap",
    "check health",
    "clean up",
)
"""The steps of one adapter, in order."""


def _next(step: str) -> str:
    """The step that failed, from the last that did not."""
    return LIFE[min(LIFE.index(step) + 1, len(LIFE) - 1)]


class DemoFailed(Exception):
    """An answer that is not what it should be."""


async def discover_adapters(client: Client[Any]) -> list[AdapterSummary]:
    """Ask the server what is installed."""
    answer = await client.call_tool("list_adapters")
    return [AdapterSummary.model_validate(item) for item in _content(answer)["result"]]


async def walk(client: Client[Any], catalog: Catalog, adapter: AdapterSummary) -> AsyncIterator[Step]:
    """Take one adapter through its whole life; the first step that fails is the last."""
    watch = Stopwatch(adapter.name)
    yield watch.step(LIFE[0], f"{adapter.type}, {adapter.status}", ok=adapter.error is None)
    if adapter.error:
        yield watch.step("mend", adapter.error, ok=False)
        return
    step = LIFE[0]
    try:
        async for step, detail in _life(client, catalog, adapter):
            yield watch.step(step, detail)
    except (OneiricError, DemoFailed, AssertionError, ToolError) as error:
        yield watch.step(_next(step), str(error), ok=False)
    except (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):
        raise
    except BaseException as error:  # noqa: BLE001 - an adapter's own mistake, which is not to hide the other adapters
        yield watch.step(_next(step), f"It raised {type(error).__name__}.", ok=False)


async def _life(client: Client[Any], catalog: Catalog, adapter: AdapterSummary) -> AsyncIterator[tuple[str, str]]:
    name = adapter.name
    info = AdapterInfo.model_validate(_content(await client.call_tool("get_adapter_info", {"adapter_name": name})))
    yield "explain", f"{info.distribution} {info.version}: {info.description}"
    yield "validate", await _validate_good(client, info)
    yield "validate a bad config", await _validate_bad(client, info)
    example = Instance(name, name, info.example_config)
    tested = await check_connection(example, catalog)
    if not tested.success:
        raise DemoFailed(tested.error or "The connection test failed.")
    passed = ", ".join(stage.name for stage in tested.stages if stage.status == "passed")
    yield "test", f"passed {passed} in {tested.latency_ms:.0f} ms"
    config = ConfigStore({name: example})  # the example's alone: no file, no variable
    async with AdapterManager(config, catalog) as adapters:
        instance = await adapters.get(name)
        yield "initialise", f"{instance.__class__.__name__} is {adapters.state(name)}"
        yield "use", await _use(instance, catalog[name])
        yield "swap", await swap_under_load(adapters, name, info.example_config)
        health = await adapters.health(name)
        if not health:
            raise DemoFailed(f"not healthy: {health.detail}")
        yield "check health", f"healthy in {health.latency_ms:.1f} ms"
    if adapters.state(name) is not State.STOPPED:
        raise DemoFailed(f"it is {adapters.state(name)} after its cleanup")
    yield "clean up", "everything is closed"


async def _validate_good(client: Client[Any], info: AdapterInfo) -> str:
    result = await _validate(client, info.name, info.example_config)
    if not result.valid:
        raise DemoFailed(f"its own example is refused: {result.errors[0].message}")
    return f"{json.dumps(info.example_config)} is right"


async def _validate_bad(client: Client[Any], info: AdapterInfo) -> str:
    result = await _validate(client, info.name, spoiled(info.example_config, info.settings_schema))
    if result.valid:
        raise DemoFailed("a spoiled config passes as valid")
    return "refused: " + " ".join(map(str, result.errors))


async def _validate(client: Client[Any], name: str, config: Mapping[str, Any]) -> ConfigValidation:
    answer = await client.call_tool("validate_adapter_config", {"adapter_name": name, "config": dict(config)})
    return ConfigValidation.model_validate(_content(answer))


def spoiled(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The config with what people get wrong: a misspelled key and, where a setting is a number, a word for it."""
    settings: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    misspelled = next((key[:1] + key[2:] for key in settings if len(key) > 3), "colour")
    number = next((key for key, value in settings.items() if value.get("type") in ("integer", "number")), None)
    return {**config, misspelled: "?"} | ({number: "many"} if number else {})


_USES: Mapping[type[Any], Callable[[Any], Awaitable[str]]] = {
    DatabaseAdapter: use_database,
    VectorAdapter: use_vector,
}
"""What the demo does with an adapter, by the contract that it fulfils."""


async def _use(adapter: Adapter, spec: AdapterSpec) -> str:
    if isinstance(adapter, QueueAdapter) and spec.demo_worker:
        module, _, function = spec.demo_worker.partition(":")
        return await use_queue(adapter, getattr(import_module(module), function))
    if isinstance(adapter, MessageAdapter):
        return await use_messaging(adapter, spec, spec.example)
    for contract, use in _USES.items():
        if isinstance(adapter, contract):
            return await use(adapter)
    return "no demonstration is written for adapters of this type"


def _content(answer: Any) -> dict[str, Any]:
    content: dict[str, Any] = answer.structured_content
    return content
