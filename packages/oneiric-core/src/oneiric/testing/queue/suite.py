"""The suite of task queues.

```python
class TestMine(QueueSuite):
    adapter_name = "mine"

    @pytest.fixture
    def config(self, server):
        return {"url": server.url}

    @pytest.fixture
    def run_worker(self, config):
        @asynccontextmanager
        async def run(*queues):
            names = queues or ["default"]
            worker = await asyncio.create_subprocess_exec("mine-worker", *names, "oneiric.testing.queue.tasks")
            try:
                yield
            finally:
                worker.terminate()
                await worker.wait()

        return run
```
"""

from __future__ import annotations

from typing import Any

from oneiric.testing.queue.calling import CallTests
from oneiric.testing.queue.cancelling import CancellingTests
from oneiric.testing.queue.differential import QueueDifferentialTests
from oneiric.testing.queue.honesty import HonestyTests
from oneiric.testing.queue.payloads import PayloadTests
from oneiric.testing.queue.results import ResultTests
from oneiric.testing.queue.scheduling import SchedulingTests
from oneiric.testing.queue.statuses import StatusTests
from oneiric.testing.queue.submitting import SubmittingTests
from oneiric.testing.queue.working import WorkingTests
from oneiric.testing.suite import AdapterSuite


class QueueSuite(
    SubmittingTests,
    PayloadTests,
    StatusTests,
    ResultTests,
    CancellingTests,
    SchedulingTests,
    WorkingTests,
    CallTests,
    HonestyTests,
    QueueDifferentialTests,
    AdapterSuite,
):
    """What holds for every task queue. Bring `config`, and `run_worker`: without it, what a worker does isn't tested.

    The tests that need control over the worker start one of their own for a new queue; the others share the fixture `worker`.
    """

    async def probe(self, adapter: Any) -> None:
        """Ask for the depth of a queue."""
        await adapter.queue_depth()
