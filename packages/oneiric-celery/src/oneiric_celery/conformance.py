"""The suite that holds this adapter to its contract: `oneiric conformance celery` runs it, and so do the tests.

It needs `oneiric-celery[embedded]`: it starts a Valkey and workers of its own.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue.worker_process import WorkerProcess
from oneiric.testing import QueueSuite
from oneiric.testing.valkey import OnValkey, ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class CeleryWorker(WorkerProcess):
    """`oneiric-celery worker`, in processes of its own."""

    def __init__(self, url: str, *queues: str) -> None:
        command = [sys.executable, "-m", "oneiric_celery", "worker", f"{__package__}.conformance_app:app"]
        command += ["--queues", ",".join(queues or ("celery",)), "--concurrency", "1", "--log-level", "error"]
        command += ["--name", f"worker-{time.monotonic_ns()}@conformance"]
        environment = {**os.environ, "ONEIRIC_CELERY_BROKER": url, "C_FORCE_ROOT": "1", "PYTHONWARNINGS": "ignore"}
        super().__init__(command, environment=environment, is_quiet=True)


class CelerySuite(OnValkey, QueueSuite):
    """The kit's, on a Valkey of its own, with workers of `oneiric-celery worker`."""

    adapter_name = "celery"

    @pytest.fixture(scope="class")
    @classmethod
    def default_worker(cls, server: ValkeyServer) -> Iterator[None]:
        """One worker of the default queue for all tests."""
        with CeleryWorker(server.url):
            yield

    @pytest.fixture
    def worker(self, default_worker: None) -> None:
        """The worker of the default queue is there."""

    @pytest.fixture
    def config(self, server: ValkeyServer) -> dict[str, Any]:
        """The server's."""
        return {"broker_url": server.url}

    @pytest.fixture
    def run_worker(self, server: ValkeyServer) -> Callable[..., CeleryWorker]:
        """A worker of these queues."""
        return partial(CeleryWorker, server.url)
