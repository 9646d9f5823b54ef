"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.adapters.queue import (
    BATCH,
    CANCEL,
    CANCEL_RUNNING,
    DURABLE,
    EXPIRES,
    IDEMPOTENCY,
    PROGRESS,
    RESULTS,
    RETRIES,
    SCHEDULE,
    WORKERS,
)
from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_rq.settings import RedisQueueSettings

CAPABILITIES = frozenset(
    {BATCH, CANCEL, CANCEL_RUNNING, DURABLE, EXPIRES, IDEMPOTENCY, PROGRESS, RESULTS, RETRIES, SCHEDULE, WORKERS}
)
"""All but `priority`: RQ knows queues that are served before others, and no order of tasks within one."""


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the `rq` adapter."""
    return [
        AdapterSpec(
            "rq",
            type="queue",
            summary="Task queues of RQ on Redis or Valkey, and a worker that runs none but the tasks it is told of.",
            adapter="oneiric_rq.adapter:RedisQueueAdapter",
            settings=RedisQueueSettings,
            capabilities=CAPABILITIES,
            example={"url": "embedded://"},
            conformance="oneiric_rq.conformance:RqSuite",
            demo_worker="oneiric_rq.demo:run_worker",
        )
    ]
