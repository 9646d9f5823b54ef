"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_celery.settings import CAPABILITIES, CelerySettings


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the `celery` adapter."""
    return [
        AdapterSpec(
            "celery",
            type="queue",
            summary="Tasks for Celery workers, over Redis, Valkey or RabbitMQ, with honest states and results.",
            adapter="oneiric_celery.adapter:CeleryQueueAdapter",
            settings=CelerySettings,
            conformance="oneiric_celery.conformance:CelerySuite",
            capabilities=CAPABILITIES,
            example={"broker_url": "embedded://"},
            demo_worker="oneiric_celery.demo:run_worker",
        )
    ]
