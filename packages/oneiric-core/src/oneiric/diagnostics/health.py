"""The health of configured instances, each initialised as an application would, and cleaned up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from oneiric.errors import OneiricError
from oneiric.lifecycle import AdapterManager

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.config import ConfigStore
    from oneiric.discovery import Catalog

AT_ONCE = 8
"""How many instances are initialised at a time."""


class InstanceHealth(BaseModel):
    """Whether an instance works now."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    name: str
    adapter: str
    ok: bool
    latency_ms: float | None = None
    """How long the health check took, in milliseconds, where there was one."""
    detail: str = ""
    """Why not, where it doesn't."""
    error_class: str | None = None
    """The kind of failure, where it could not be initialised."""


async def check_health(store: ConfigStore, catalog: Catalog, names: Iterable[str]) -> list[InstanceHealth]:
    """Initialise each instance, ask its health, clean it up; what one does is no other's. Raises UnknownAdapter for a name."""
    instances = [store[name] for name in names]
    places = asyncio.Semaphore(AT_ONCE)
    async with AdapterManager(store, catalog) as adapters:

        async def check(name: str, adapter: str) -> InstanceHealth:
            async with places:
                try:
                    await adapters.get(name)
                except OneiricError as error:
                    return InstanceHealth(
                        name=name, adapter=adapter, ok=False, detail=str(error), error_class=type(error).__name__
                    )
                health = await adapters.health(name)
            return InstanceHealth(
                name=name, adapter=adapter, ok=health.ok, latency_ms=health.latency_ms, detail=health.detail
            )

        return await asyncio.gather(*(check(instance.name, instance.adapter) for instance in instances))
