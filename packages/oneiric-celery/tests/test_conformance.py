"""The conformance kit, on Valkey with workers of `oneiric-celery worker`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from oneiric.testing import QueueSuite


class TestCelery(QueueSuite):
    adapter_name = "celery"

    @pytest.fixture
    def config(self, shared_valkey: Any) -> dict[str, Any]:
        return {"broker_url": shared_valkey.url}

    @pytest.fixture
    def run_worker(self, config: dict[str, Any], serve: Any) -> Any:
        return lambda *queues: serve(config, *queues)

    @pytest.fixture
    def worker(self, module_worker: Any) -> Any:
        return module_worker

    @pytest.fixture
    def restart(self, shared_valkey: Any) -> Any:
        async def restart() -> None:
            shared_valkey.kill()
            await asyncio.to_thread(shared_valkey.start)

        return restart
