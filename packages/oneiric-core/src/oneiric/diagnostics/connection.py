"""Does an adapter work with this config? Makes one beside everything else, asks its health, and cleans it up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oneiric.config import ConfigStore, Instance
from oneiric.discovery import Catalog
from oneiric.errors import OneiricError
from oneiric.lifecycle import AdapterManager, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.spec import AdapterSpec


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """What came of a connection test."""

    success: bool
    latency_ms: float
    """From the start of init to the answer of the health check, or to the failure, in milliseconds."""
    error: str | None = None


async def check_connection(spec: AdapterSpec, config: Mapping[str, Any], *, timeout: float = 10.0) -> ConnectionTest:
    """Initialise an adapter of its own, ask its health, clean it up. Raises nothing for what the config or backend do.

    `timeout` (seconds) bounds init and the health check, each.
    """
    store = ConfigStore({spec.name: Instance(spec.name, spec.name, config)})
    limits = Limits(init_timeout=timeout, init_attempts=1, health_timeout=timeout)
    manager = AdapterManager(store, Catalog([spec]), limits=limits)
    started = time.perf_counter()
    error: str | None
    try:
        async with manager:
            await manager.get(spec.name)
            health = await manager.health(spec.name)
            error = None if health else health.detail or "It says that it is not healthy."
    except OneiricError as raised:
        error = str(raised)
    return ConnectionTest(error is None, (time.perf_counter() - started) * 1000, error)
