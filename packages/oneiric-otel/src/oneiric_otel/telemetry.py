"""What happens to the instances, as measurements and spans.

A span is made when what it tells of is over, with the time at which that began: one that is begun in one hook and ended in the
next would stay open, and current in the application's own code, wherever an init is cancelled. Measurements go first, as
a span's processors may raise.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.metrics import Observation
from opentelemetry.trace import Status, StatusCode

from oneiric_otel.clock import Clock
from oneiric_otel.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.adapters.base import Health
    from oneiric.spec import AdapterSpec
    from opentelemetry.metrics import CallbackOptions

SCOPE = "oneiric_otel"
"""The name of the instrumentation scope."""

_LIFECYCLE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_HEALTH_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds, up to the manager's default deadlines."""

Attributes = dict[str, str | bool]


class Telemetry:
    """Tells the application's tracer and meter providers; where it has none, OpenTelemetry's API does nothing."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._up: Recent[tuple[str, str], bool] = Recent()
        self._tracer = trace.get_tracer(SCOPE, version("oneiric-otel"))
        meter = metrics.get_meter(SCOPE, version("oneiric-otel"))
        self._init_duration = meter.create_histogram(
            "oneiric.adapter.init.duration",
            unit="s",
            description="How long an init took, its retries included; with `error.type` where it failed.",
            explicit_bucket_boundaries_advisory=_LIFECYCLE_BUCKETS,
        )
        self._cleanup_duration = meter.create_histogram(
            "oneiric.adapter.cleanup.duration",
            unit="s",
            description="How long a cleanup took, the end of the calls that were under way included.",
            explicit_bucket_boundaries_advisory=_LIFECYCLE_BUCKETS,
        )
        self._health_duration = meter.create_histogram(
            "oneiric.adapter.health_check.duration",
            unit="s",
            description="How long a health check took, and by `oneiric.healthy` what the answer was.",
            explicit_bucket_boundaries_advisory=_HEALTH_BUCKETS,
        )
        self._swaps = meter.create_counter(
            "oneiric.adapter.swaps", unit="{swap}", description="How often an instance was swapped."
        )
        # Observed, and not set: of a gauge that is set, SDKs up to 1.44 export a value once.
        meter.create_observable_gauge(
            "oneiric.adapter.up",
            [self._observe],
            description="1 where the instance takes calls and its last health check, if any, was good; else 0.",
        )

    def initializing(self, instance: str) -> None:
        """Note when."""
        self._clock.begin("init", instance)

    def initialized(self, instance: str, spec: AdapterSpec, seconds: float) -> None:
        """It takes calls."""
        self._up[instance, spec.type] = True
        attributes = _attributes(instance, spec)
        self._init_duration.record(seconds, attributes)
        self._span(f"init {instance}", attributes, seconds)

    def init_failed(self, instance: str, spec: AdapterSpec, error: Exception) -> None:
        """It takes none, for a reason of that class."""
        self._up[instance, spec.type] = False
        attributes, seconds = _attributes(instance, spec, error), self._clock.since("init", instance)
        self._init_duration.record(seconds, attributes)
        self._span(f"init {instance}", attributes, seconds)

    def health_checked(self, instance: str, spec: AdapterSpec, health: Health) -> None:
        """Measured alone: a span for each check would be most of an idle application's spans."""
        self._up[instance, spec.type] = health.ok
        attributes = _attributes(instance, spec) | {"oneiric.healthy": health.ok}
        self._health_duration.record((health.latency_ms or 0.0) / 1000, attributes)

    def cleaning_up(self, instance: str, spec: AdapterSpec) -> None:
        """It takes no more calls."""
        self._clock.begin("cleanup", instance)
        self._up[instance, spec.type] = False

    def cleaned_up(self, instance: str, spec: AdapterSpec, error: Exception | None) -> None:
        """It is gone, or has failed at that."""
        self._up[instance, spec.type] = False  # again: a check that was under way may have been good
        attributes, seconds = _attributes(instance, spec, error), self._clock.since("cleanup", instance)
        self._cleanup_duration.record(seconds, attributes)
        self._span(f"cleanup {instance}", attributes, seconds)

    def swapped(self, instance: str, spec: AdapterSpec, previous: AdapterSpec) -> None:
        """Another adapter takes its calls: a span without length, at that moment."""
        self._up[instance, spec.type] = True
        attributes = _attributes(instance, spec)
        self._swaps.add(1, attributes)
        self._span(f"swap {instance}", attributes | {"oneiric.adapter.previous": previous.name}, 0.0)

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """Without the adapter's name: that of one which was swapped out would stay up."""
        for (instance, kind), is_up in list(self._up.items()):  # a copy: an exporter asks in a thread of its own
            yield Observation(int(is_up), {"oneiric.instance": instance, "oneiric.adapter.type": kind})

    def _span(self, name: str, attributes: Attributes, seconds: float) -> None:
        now = time.time_ns()
        span = self._tracer.start_span(name, attributes=attributes, start_time=now - int(seconds * 1e9))
        if "error.type" in attributes:
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)


def _attributes(instance: str, spec: AdapterSpec, error: Exception | None = None) -> Attributes:
    """Names alone, of what is configured and installed, and of an error its class: its message may hold anything."""
    attributes: Attributes = {
        "oneiric.instance": instance,
        "oneiric.adapter.type": spec.type,
        "oneiric.adapter.name": spec.name,
    }
    return attributes if error is None else attributes | {"error.type": _name_of(type(error))}


def _name_of(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
