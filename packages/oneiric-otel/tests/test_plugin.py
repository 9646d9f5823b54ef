"""The plugin, in processes of its own: found without a word in the application, and idle where there is no SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent

from oneiric.discovery import discover

LIFE = """
import asyncio, json, logging, sys
from oneiric import AdapterManager, AdapterSpec, Catalog, ConfigStore
from oneiric.discovery import discover

logging.basicConfig(level="WARNING", stream=sys.stdout)
found = discover()
listed = sorted(module for module in sys.modules if module.startswith("opentelemetry"))
spec = AdapterSpec("memory", type="database", summary="A.", adapter="oneiric.testing.memory:MemoryDatabase")

async def life():
    config = ConfigStore.load(overrides={"memory": {}}, environ={})
    async with AdapterManager(config, Catalog([spec], hooks=found.hooks)) as adapters:
        await adapters.get("memory")
        assert await adapters.health("memory")

asyncio.run(life())
print(json.dumps({"listed": listed, "after": sorted(sys.modules)}))
"""


def run(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_loaded_and_brings_no_adapter():
    (plugin,) = (plugin for plugin in discover().plugins if plugin.name == "otel")
    assert (plugin.status, plugin.distribution) == ("loaded", "oneiric-otel")
    assert not any(spec.distribution == "oneiric-otel" for spec in discover())


def test_without_an_sdk_nothing_is_said_and_no_sdk_is_imported():
    (line,) = run(LIFE).splitlines()
    modules = json.loads(line)
    assert modules["listed"] == []
    assert "opentelemetry.metrics" in modules["after"]
    assert not any(name.startswith("opentelemetry.sdk") for name in modules["after"])


def test_an_sdk_that_comes_after_the_first_event_is_told_of_the_next():
    program = LIFE + dedent(
        """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        asyncio.run(life())
        print([span.name for span in exporter.get_finished_spans()])
        """
    )
    assert run(program).splitlines()[-1] == "['init memory', 'cleanup memory']"
