"""AdapterManager: makes each configured adapter at its first use, once, and cleans all of them up in reverse order."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from oneiric.adapters.base import Adapter, Health
from oneiric.config import ConfigStore, schemes_of, spec_of
from oneiric.discovery import Catalog, discover
from oneiric.errors import ConfigError, DeadlineExceeded, InitFailed, NotInitialized, OneiricError
from oneiric.lifecycle.building import build
from oneiric.lifecycle.deadline import Cancelled, DeadlinePassed, within
from oneiric.lifecycle.observers import Observers
from oneiric.lifecycle.states import State

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from oneiric.config import Instance

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
        self._is_closed = False
        self._observers = Observers(self.catalog.hooks)
        self._ready: dict[str, Adapter] = {}  # in the order of their init
        self._leaving: dict[str, Adapter] = {}
        """Those whose cleanup has begun and not ended; one that was cancelled is for the next to finish."""
        self._states: dict[str, State] = {}
        self._errors: dict[str, OneiricError] = {}  # of the last attempt to start an instance, where it failed
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
        self._is_closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closed = True
        await self.cleanup()

    @overload
    async def get(self, name: str) -> Adapter: ...
    @overload
    async def get(self, name: str, contract: Callable[..., AdapterT]) -> AdapterT: ...
    async def get(self, name: str, contract: Callable[..., Adapter] = Adapter) -> Adapter:
        """The adapter of a configured instance, initialised once however many tasks ask for it at the same time.

        `contract` (DatabaseAdapter, …) is the class it is expected to be of, for the type checker and as a check (and not
        typed as `type[…]`, for which mypy refuses an abstract class). Raises UnknownAdapter, AdapterUnavailable,
        ConfigError, DeadlineExceeded, InitFailed, or what the adapter's `init` raises of our errors. Tasks that
        wait for one attempt share its outcome; a call after a failed one tries again.
        """
        adapter = self._ready.get(name)
        if adapter is None and self._is_closed:
            hint = "Use it inside `async with`, or make another AdapterManager."
            raise NotInitialized(f"`{name}` is asked for after its AdapterManager was left.", adapter=name, hint=hint)
        if adapter is None:
            adapter = await self._start_once(self.config[name])
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
        health = await self._ask(adapter)
        await self._tell("health_checked", name, health=health)
        return health

    async def _ask(self, adapter: Adapter) -> Health:
        started = time.perf_counter()
        try:
            answer = await within(self.health_timeout, adapter.health())
            health = answer if isinstance(answer, Health) else Health(ok=bool(answer))
        except DeadlinePassed:
            return Health(ok=False, detail=f"It did not answer within {self.health_timeout:g} s.")
        except Exception as error:  # noqa: BLE001 - health() should not raise; one that does is not healthy
            return Health(ok=False, detail=f"Its health check raised {_kind(error)}.")
        return replace(health, latency_ms=health.latency_ms or (time.perf_counter() - started) * 1000)

    async def cleanup(self) -> None:
        """Clean all adapters up, the last initialised first, each within the deadline; one that fails stops no other.

        One that another task is just initialising is waited for, and cleaned up after the others.
        """
        while names := [*self._locked(), *self._ready, *self._leaving]:
            name = names[-1]
            async with self._locks[name]:
                if name in self._ready:
                    self._leaving[name] = self._ready.pop(name)
                if name in self._leaving:
                    await self._stop(name, self._leaving[name])

    def _locked(self) -> list[str]:
        return [name for name, lock in self._locks.items() if lock.locked()]

    async def _start_once(self, instance: Instance) -> Adapter:
        name = instance.name
        earlier = self._errors.get(name)
        async with self._locks.setdefault(name, asyncio.Lock()):
            adapter = self._ready.get(name)
            if adapter is not None:
                return adapter
            if name in self._leaving:  # the cleanup before was cut off
                await self._stop(name, self._leaving[name])
            error = self._errors.get(name)
            if error is not None and error is not earlier:  # of the attempt that this call has waited for
                raise error.with_traceback(None)
            return await self._start(instance)

    async def _start(self, instance: Instance) -> Adapter:
        name, started = instance.name, time.perf_counter()
        self._states[name] = State.INITIALIZING
        try:
            await self._tell("initializing", name)
            schemes = schemes_of(self.catalog.hooks, self.config.variables)
            adapter = await build(instance, spec_of(instance, self.catalog), schemes, self.init_timeout)
            await self._init(name, adapter)
        except OneiricError as error:
            self._states[name], self._errors[name] = State.FAILED, error
            await self._tell("init_failed", name, error=error)
            raise
        except BaseException:
            self._states[name] = State.STOPPED
            raise
        self._errors.pop(name, None)
        self._ready[name] = adapter
        self._states[name] = State.READY
        await self._tell("initialized", name, seconds=time.perf_counter() - started)
        return adapter

    async def _init(self, name: str, adapter: Adapter) -> None:
        try:
            await within(self.init_timeout, adapter.init())
        except BaseException as error:
            await self._stop(name, adapter)
            if isinstance(error, OneiricError) or not isinstance(error, Exception):
                raise
            if isinstance(error, DeadlinePassed):
                sentence = f"`{name}` was not initialised within {self.init_timeout:g} s."
                raise DeadlineExceeded(sentence, adapter=name) from None
            raise InitFailed(f"The init of `{name}` raised {_kind(error)}.", adapter=name) from error

    async def _stop(self, name: str, adapter: Adapter) -> None:
        """Clean one adapter up; what goes wrong is logged, by the error's class, as its message may hold a secret."""
        self._states[name] = State.CLEANING_UP
        self._leaving[name] = adapter
        failure: Exception | None = None
        try:
            await self._tell("cleaning_up", name)
            await within(self.cleanup_timeout, adapter.cleanup())
        except DeadlinePassed:
            sentence = f"The cleanup of {name} did not end within {self.cleanup_timeout:g} s."
            _log.error(sentence)
            failure = DeadlineExceeded(sentence, adapter=name)
        except Exception as error:  # noqa: BLE001 - one's cleanup must not keep another from its own
            _log.error("The cleanup of %s raised %s.", name, _kind(error))
            failure = error
        del self._leaving[name]
        self._states[name] = State.STOPPED
        await self._tell("cleaned_up", name, error=failure)

    async def _tell(self, event: str, name: str, **facts: Any) -> None:
        """Tell the observers what happened to an instance; of one whose adapter is not installed there is nothing to tell."""
        adapter = self.config[name].adapter
        if adapter in self.catalog:
            await self._observers.tell(event, instance=name, spec=self.catalog[adapter], **facts)


def _kind(error: Exception) -> str:
    return "CancelledError" if isinstance(error, Cancelled) else type(error).__name__
