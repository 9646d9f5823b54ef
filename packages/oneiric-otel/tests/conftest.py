"""What the tests share: the OpenTelemetry SDK, exporting into memory, and an adapter that does as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from oneiric import Adapter, AdapterManager, AdapterSettings, AdapterSpec, Catalog, ConfigStore, Health
from oneiric.discovery import discover
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class ProbeSettings(AdapterSettings):
    password: SecretStr = SecretStr("hunter2")
    fails: str = ""
    error: str = ""


class Probe(Adapter):
    settings_class = ProbeSettings
    settings: ProbeSettings
    errors: ClassVar[dict[str, BaseException]] = {}

    async def init(self) -> None:
        if self.settings.fails == "hang":
            await asyncio.Event().wait()
        self._fail("init")

    async def health(self) -> Health:
        return Health(ok=self.settings.fails != "health", latency_ms=2000.0)

    async def cleanup(self) -> None:
        self._fail("cleanup")

    def _fail(self, step: str) -> None:
        if self.settings.fails == step:
            raise self.errors[self.settings.error]


@dataclass
class Raising(SpanProcessor):
    """A processor whose exporter is broken, where it is told so."""

    error: BaseException | None = None

    def on_end(self, span: ReadableSpan) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class Seen:
    """What the SDK has exported."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    processor: Raising

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def points(self, metric: str, instance: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
            if (point.attributes or {}).get("oneiric.instance") == instance
        ]

    def up(self, instance: str) -> float:
        (point,) = self.points("oneiric.adapter.up", instance)
        value: float = point.value
        return value

    def everything(self) -> str:
        data = self.reader.get_metrics_data()
        return "".join(span.to_json() for span in self.spans()) + (data.to_json() if data else "")


@pytest.fixture(scope="session")
def _sdk() -> Seen:
    exporter, reader, processor = InMemorySpanExporter(), InMemoryMetricReader(), Raising()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer_provider.add_span_processor(processor)
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    return Seen(exporter, reader, processor)


@pytest.fixture
def seen(_sdk: Seen) -> Iterator[Seen]:
    """What the SDK exports during the test; measurements are kept apart by the instance's name."""
    _sdk.exporter.clear()
    yield _sdk
    _sdk.processor.error = None


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AdapterManager]:
    """Makes a manager of probes, by the hooks of what is installed."""
    monkeypatch.setattr(AdapterSpec, "load", lambda _: Probe)
    names = ("probe", "other")
    catalog = Catalog(
        [AdapterSpec(name, type="database", summary="A.", adapter="a:A", settings=ProbeSettings) for name in names],
        hooks=discover().hooks,
    )

    def make(**instances: Mapping[str, Any]) -> AdapterManager:
        overrides = {name: {"adapter": "probe", **config} for name, config in instances.items()}
        return AdapterManager(ConfigStore.load(overrides=overrides, environ={}), catalog)

    return make


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, BaseException], dict[str, str]]:
    """Makes a config in which a step raises that error."""

    def make(step: str, error: BaseException) -> dict[str, str]:
        monkeypatch.setitem(Probe.errors, "it", error)
        return {"fails": step, "error": "it"}

    return make
