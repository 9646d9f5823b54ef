"""The suite that holds this adapter to its contract: `oneiric conformance rq` runs it, and so do the tests.

It needs `oneiric-rq[embedded]`: it starts a server and workers of its own.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue.worker_process import WorkerProcess
from oneiric.testing import QueueSuite
from oneiric.testing.queue import tasks
from oneiric.testing.valkey import OnValkey, ValkeyServer

from oneiric_rq import conformance_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TASKS = (tasks.__name__, conformance_tasks.__name__)


def kit(task: str) -> str:
    """The name under which a worker knows a task of the kit."""
    return f"{tasks.__name__}.{task}"


class RqWorker(WorkerProcess):
    """`oneiric-rq worker`, in a process of its own."""

    def __init__(self, url: str, *queues: str, allow: tuple[str, ...] = TASKS, recover_after: int = 60) -> None:
        allowed = [part for name in allow for part in ("--allow", name)]
        options = ["--url", url, *allowed, "--recover-after", str(recover_after), "--log-level", "WARNING"]
        super().__init__([sys.executable, "-m", "oneiric_rq", "worker", *queues, *options])


class RqSuite(OnValkey, QueueSuite):
    """The kit's, on a server of its own, with workers of `oneiric-rq worker`."""

    adapter_name = "rq"

    @pytest.fixture(scope="class")
    @classmethod
    def default_worker(cls, server: ValkeyServer) -> Iterator[None]:
        """One worker of the default queue for all tests."""
        with RqWorker(server.url):
            yield

    @pytest.fixture
    def worker(self, default_worker: None) -> None:
        """The worker of the default queue is there."""

    @pytest.fixture
    def config(self, server: ValkeyServer) -> dict[str, Any]:
        """The server's."""
        return {"url": server.url}

    @pytest.fixture
    def run_worker(self, server: ValkeyServer) -> Callable[..., RqWorker]:
        """A worker process of these queues."""
        return partial(RqWorker, server.url)

    def task_name(self, name: str) -> str:
        """The task that reports progress is our own."""
        return f"{conformance_tasks.__name__}.progress" if name == "progress" else super().task_name(name)
