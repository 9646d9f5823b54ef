"""AdapterManager: makes each configured adapter at its first use, once, and cleans all of them up in reverse order."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from oneiric.adapters.base import Adapter, Health
from oneiric.config import ConfigStore
from oneiric.discovery import Catalog, discover
from oneiric.errors import ConfigError, DeadlineExceeded, InitFailed, OneiricError
from oneiric.lifecycle.states import State
from oneiric.validation import check

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from oneiric.config import Instance
    from oneiric.spec import AdapterSpec

AdapterT = TypeVar("AdapterT", bound=Adapter)

_log = logging.getLogger(__name__)


class AdapterManager:
    """Owns the adapters of a config.

    `async with AdapterManager.from_config() as adapters:`, then `await adapters.get("orders")`. Nothing is initialised
    before it is asked for, so an application starts with any of its backends down. Deadlines are in seconds.
    """

    def __init__(
        self,
        config: ConfigStore,
        catalog: Catalog | None = None,
        *,
        init_timeout: float = 30.0,
        health_timeout: float = 5.0,
        cleanup_timeout: float = 10.0,
    ) -> None:
        self.config = config
        self.catalog = discover() if catalog is None else catalog
        self.init_timeout = init_timeout
        self.health_timeout = health_timeout
        self.cleanup_timeout = cleanup_timeout
        self._ready: dict[str, Adapter] = {}  # in the order of their init
        self._states: dict[str, State] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """A manager of what the config's layers name: see `ConfigStore.load`."""
        return cls(ConfigStore.load(path, overrides=overrides))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.cleanup()

    @overload
    async def get(self, name: str) -> Adapter: ...
    @overload
    async def get(self, name: str, contract: Callable[..., AdapterT]) -> AdapterT: ...
    async def get(self, name: str, contract: Callable[..., Adapter] = Adapter) -> Adapter:
        """The adapter of a configured instance, initialised once however many tasks ask for it at the same time.

        `contract` (DatabaseAdapter, …) is the class it is expected to be of, for the type checker and as a check (and not
        typed as `type[…]`, for which mypy refuses an abstract class). Raises UnknownAdapter, AdapterUnavailable,
        ConfigError, DeadlineExceeded, InitFailed, or what the adapter's `init` raises of our errors; the next call tries
        again.
        """
        adapter = self._ready.get(name)
        if adapter is None:
            instance = self.config[name]
            async with self._locks.setdefault(name, asyncio.Lock()):
                adapter = self._ready.get(name) or await self._start(instance)
        expected = cast("type[Adapter]", contract)
        if not isinstance(adapter, expected):
            found = type(adapter).__name__
            raise ConfigError(f"The instance `{name}` is a {found}, not a {expected.__name__}.", adapter=name)
        return adapter

    def state(self, name: str) -> State:
        """Where the instance is in its life. Raises UnknownAdapter."""
        return self._states.get(self.config[name].name, State.STOPPED)

    async def health(self, name: str) -> Health:
        """Ask one instance; never raises for what its backend does. Not initialised is not healthy. Raises UnknownAdapter."""
        adapter = self._ready.get(self.config[name].name)
        if adapter is None:
            return Health(ok=False, detail=f"It is {self.state(name)}.")
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.health_timeout):
                answer = await adapter.health()
        except TimeoutError:
            return Health(ok=False, detail=f"It did not answer within {self.health_timeout:g} s.")
        except Exception as error:  # noqa: BLE001 - health() should not raise; one that does is not healthy
            return Health(ok=False, detail=f"Its health check raised {type(error).__name__}.")
        health = answer if isinstance(answer, Health) else Health(ok=bool(answer))
        return replace(health, latency_ms=health.latency_ms or (time.perf_counter() - started) * 1000)

    async def cleanup(self) -> None:
        """Clean all adapters up, the last initialised first, each within the deadline; one that fails stops no other."""
        while self._ready:
            name = next(reversed(self._ready))
            async with self._locks[name]:
                if name in self._ready:
                    await self._stop(name, self._ready.pop(name))

    async def _start(self, instance: Instance) -> Adapter:
        name, spec = instance.name, self.catalog[instance.adapter]
        adapter = _make(instance, spec)
        self._states[name] = State.INITIALIZING
        try:
            async with asyncio.timeout(self.init_timeout):
                await adapter.init()
        except BaseException as error:
            await self._stop(name, adapter)
            self._states[name] = State.STOPPED if isinstance(error, asyncio.CancelledError) else State.FAILED
            if isinstance(error, OneiricError) or not isinstance(error, Exception):
                raise
            raise self._init_error(name, error) from error
        self._ready[name] = adapter
        self._states[name] = State.READY
        return adapter

    def _init_error(self, name: str, error: Exception) -> OneiricError:
        if isinstance(error, TimeoutError):
            return DeadlineExceeded(f"`{name}` was not initialised within {self.init_timeout:g} s.", adapter=name)
        return InitFailed(f"The init of `{name}` raised {type(error).__name__}.", adapter=name)

    async def _stop(self, name: str, adapter: Adapter) -> None:
        """Clean one adapter up; what goes wrong is logged, by the error's class, as its message may hold a secret."""
        self._states[name] = State.CLEANING_UP
        try:
            async with asyncio.timeout(self.cleanup_timeout):
                await adapter.cleanup()
        except TimeoutError:
            _log.error("The cleanup of %s did not end within %g s.", name, self.cleanup_timeout)
        except Exception as error:  # noqa: BLE001 - one adapter's cleanup must not keep another from its own
            _log.error("The cleanup of %s raised %s.", name, type(error).__name__)
        self._states[name] = State.STOPPED


def _make(instance: Instance, spec: AdapterSpec) -> Adapter:
    settings, problems = check(spec.settings, instance.values)
    if settings is None:
        raise ConfigError(f"The config of `{instance.name}` is wrong.", problems=problems, adapter=instance.name)
    adapter = spec.load()(settings)
    adapter.name = instance.name
    return adapter
