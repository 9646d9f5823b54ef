"""An adapter that does in its life what its settings say, and a manager of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from oneiric import (
    Adapter,
    AdapterManager,
    AdapterSettings,
    AdapterSpec,
    Catalog,
    ConfigStore,
    ConnectionFailed,
    Health,
    Limits,
)
from pydantic import SecretStr

LOG: list[str] = []
"""What the adapters did, in order."""


RELEASED: list[bool] = []
"""Ends what swallows its cancellation, where there is anything in it."""


class Settings(AdapterSettings):
    password: SecretStr = SecretStr("")
    init: str = "works"
    health: str = "works"
    cleanup: str = "works"


class Scripted(Adapter):
    """Does in each method what its settings say."""

    settings_class = Settings
    settings: Settings
    made: list[Scripted] = []
    healing = False

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        if self.settings.init == "constructor":
            raise TypeError("hunter2")
        self.made.append(self)

    async def init(self) -> None:
        LOG.append(f"init {self.name}")
        await self._do("works" if type(self).healing else self.settings.init)

    async def health(self) -> Any:
        return await self._do(self.settings.health)

    async def cleanup(self) -> None:
        LOG.append(f"cleanup {self.name}")
        await self._do(self.settings.cleanup)

    async def _do(self, what: str) -> Any:
        await asyncio.sleep(0)
        match what:
            case "raises":
                raise OSError("hunter2")
            case "ours":
                raise ConnectionFailed("The server is away.", adapter=self.name)
            case "times out":
                raise TimeoutError("the driver's own")
            case "cancels":
                raise asyncio.CancelledError
            case "hangs":
                await asyncio.Event().wait()
            case "swallows":
                while not RELEASED:
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.sleep(0.01)
            case "interrupts":
                raise KeyboardInterrupt
            case "health":
                return Health(ok=False, detail="The disk is full.", latency_ms=1.5)
            case "no":
                return False
            case "array":
                return _Ambiguous()
        return True


class _Ambiguous:
    def __bool__(self) -> bool:
        raise ValueError("The truth value is ambiguous")


CATALOG = Catalog(
    [
        AdapterSpec("scripted", type="database", summary="A.", adapter="scripted_life:Scripted", settings=Settings),
        AdapterSpec("gone", type="database", summary="A.", adapter="no_such_module:X"),
    ]
)


def manager(**instances: dict[str, Any]) -> AdapterManager:
    config = {name: {"adapter": "scripted", **values} for name, values in instances.items()}
    store = ConfigStore.load(overrides=config, environ={})
    # Long enough for a slow machine, and short only where a deadline is what the test is about.
    deadline = 0.05 if any("hangs" in values.values() for values in instances.values()) else 30.0
    limits = Limits(init_timeout=deadline, init_attempts=1, health_timeout=deadline, cleanup_timeout=deadline)
    return AdapterManager(store, CATALOG, limits=limits)
