"""What is told of an instance's life, by a plugin that core knows nothing of."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from oneiric import ConnectionFailed
from oneiric.lifecycle import State
from opentelemetry import trace
from opentelemetry.trace import StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Seen
    from oneiric import AdapterManager

    Manager = Callable[..., AdapterManager]
    Raised = Callable[[str, BaseException], dict[str, str]]

OF_PROBE = {"oneiric.adapter.name": "probe", "oneiric.adapter.type": "database"}


async def test_a_whole_life_is_two_spans_and_its_durations(seen: Seen, manager: Manager):
    async with manager(life={}) as adapters:
        await adapters.get("life")
        assert seen.up("life") == 1
        assert (await adapters.health("life")).ok
        await adapters.health("life")
    assert seen.up("life") == 0
    init, cleanup = seen.spans()
    assert (init.name, cleanup.name) == ("init life", "cleanup life")
    for span in (init, cleanup):
        assert span.attributes == {"oneiric.instance": "life", **OF_PROBE}
        assert span.status.status_code is StatusCode.UNSET
        assert span.start_time < span.end_time
        assert span.instrumentation_scope.name == "oneiric_otel"
        assert span.instrumentation_scope.version
    (point,) = seen.points("oneiric.adapter.init.duration", "life")
    assert point.count == 1
    assert point.sum == pytest.approx((init.end_time - init.start_time) / 1e9)
    (point,) = seen.points("oneiric.adapter.cleanup.duration", "life")
    assert (point.count, point.attributes) == (1, {"oneiric.instance": "life", **OF_PROBE})
    (point,) = seen.points("oneiric.adapter.health_check.duration", "life")
    assert (point.count, point.sum, point.attributes["oneiric.healthy"]) == (2, 4.0, True)
    assert point.explicit_bounds[-1] == 5.0


async def test_a_failed_init_has_its_errors_class_and_no_more(seen: Seen, manager: Manager, raised: Raised):
    adapters = manager(failing=raised("init", ConnectionFailed("hunter2 at row 4711", transient=False)))
    with pytest.raises(ConnectionFailed):
        await adapters.get("failing")
    (span,) = seen.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "oneiric.errors.ConnectionFailed"
    (point,) = seen.points("oneiric.adapter.init.duration", "failing")
    assert point.attributes["error.type"] == "oneiric.errors.ConnectionFailed"
    assert 0 < point.sum < 60
    assert seen.up("failing") == 0
    assert not any(part in seen.everything() for part in ("hunter2", "4711", "row"))


async def test_a_failed_cleanup_has_the_class_of_a_drivers_error(seen: Seen, manager: Manager, raised: Raised):
    async with manager(stuck=raised("cleanup", OSError("4711"))) as adapters:
        await adapters.get("stuck")
    span = seen.spans()[-1]
    assert (span.name, (span.attributes or {})["error.type"]) == ("cleanup stuck", "OSError")
    assert span.status.status_code is StatusCode.ERROR
    (point,) = seen.points("oneiric.adapter.cleanup.duration", "stuck")
    assert point.attributes["error.type"] == "OSError"
    assert "4711" not in seen.everything()


async def test_one_that_is_unhealthy_is_down_until_a_check_is_good(seen: Seen, manager: Manager):
    async with manager(ill={"fails": "health"}) as adapters:
        await adapters.get("ill")
        await adapters.health("ill")
        assert seen.up("ill") == 0
        (point,) = seen.points("oneiric.adapter.health_check.duration", "ill")
        assert (point.count, point.attributes["oneiric.healthy"]) == (1, False)
        await adapters.swap("ill", {"adapter": "probe"})
        assert seen.up("ill") == 1
    assert [span.name for span in seen.spans()] == ["init ill", "swap ill", "cleanup ill"]


async def test_a_swap_is_counted_and_names_both_adapters(seen: Seen, manager: Manager):
    async with manager(swapped={}) as adapters:
        await adapters.get("swapped")
        await adapters.swap("swapped", {"adapter": "other"})
        assert seen.up("swapped") == 1
    (point,) = seen.points("oneiric.adapter.swaps", "swapped")
    assert (point.value, point.attributes["oneiric.adapter.name"]) == (1, "other")
    attributes = seen.spans()[1].attributes or {}
    assert (attributes["oneiric.adapter.previous"], attributes["oneiric.adapter.name"]) == ("probe", "other")
    assert (seen.spans()[-1].attributes or {})["oneiric.adapter.name"] == "other"


async def test_a_span_is_beneath_that_of_who_has_asked(seen: Seen, manager: Manager):
    async with manager(asked={}) as adapters:
        with trace.get_tracer("app").start_as_current_span("request"):
            await adapters.get("asked")
            assert trace.get_current_span().name == "request"  # type: ignore[attr-defined]
    init, request, cleanup = seen.spans()
    assert init.parent is not None
    assert init.parent == request.get_span_context()
    assert cleanup.parent is None


async def test_an_init_that_is_cancelled_leaves_no_span_in_the_applications_code(seen: Seen, manager: Manager):
    adapters = manager(cancelled={"fails": "hang"})
    with trace.get_tracer("app").start_as_current_span("request"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):  # in this very task, whose current span it must leave alone
                await adapters.get("cancelled")
        assert adapters.state("cancelled") is State.STOPPED
        assert trace.get_current_span().name == "request"  # type: ignore[attr-defined]
    assert [span.name for span in seen.spans()] == ["request"]
    assert seen.points("oneiric.adapter.init.duration", "cancelled") == []


@pytest.mark.parametrize("error", [RuntimeError("hunter2"), SystemExit("hunter2"), asyncio.CancelledError()])
async def test_a_crash_in_the_exporter_breaks_no_adapter_and_loses_no_measurement(
    seen: Seen, manager: Manager, caplog: pytest.LogCaptureFixture, error: BaseException
):
    instance = f"crash-{type(error).__name__}"
    seen.processor.error = error
    async with manager(**{instance: {}}) as adapters:
        await adapters.get(instance)
        assert await adapters.health(instance)
        await adapters.swap(instance, {"adapter": "other"})
        assert seen.up(instance) == 1
    assert seen.up(instance) == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [warning.split()[2] for warning in warnings] == [
        f"oneiric_adapter_{event}" for event in ("initialized", "swapped", "cleaned_up")
    ]
    assert "hunter2" not in caplog.text
    for metric in ("init.duration", "health_check.duration", "swaps", "cleanup.duration"):
        assert len(seen.points(f"oneiric.adapter.{metric}", instance)) == 1
