"""AdapterManager: makes each configured adapter at its first use, once, and cleans all of them up in reverse order."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from oneiric.adapters.base import Adapter, Health
from oneiric.config import ConfigStore, has_references, problems_of, resolved, schemes_of
from oneiric.discovery import Catalog, discover
from oneiric.errors import ConfigError, DeadlineExceeded, InitFailed, OneiricError, UnresolvedReference
from oneiric.lifecycle.deadline import Cancelled, DeadlinePassed, within
from oneiric.lifecycle.states import State
from oneiric.validation import check

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from oneiric.adapters.base import AdapterSettings
    from oneiric.config import Instance, Resolver
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
        ConfigError, DeadlineExceeded, InitFailed, or what the adapter's `init` raises of our errors. Tasks that
        wait for one attempt share its outcome; a call after a failed one tries again.
        """
        adapter = self._ready.get(name)
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
        while names := [name for name, lock in self._locks.items() if lock.locked()] + list(self._ready):
            name = names[-1]
            async with self._locks[name]:
                if name in self._ready:
                    await self._stop(name, self._ready.pop(name))

    async def _start_once(self, instance: Instance) -> Adapter:
        name = instance.name
        earlier = self._errors.get(name)
        async with self._locks.setdefault(name, asyncio.Lock()):
            adapter = self._ready.get(name)
            if adapter is not None:
                return adapter
            error = self._errors.get(name)
            if error is not None and error is not earlier:  # of the attempt that this call has waited for
                raise error.with_traceback(None)
            return await self._start(instance)

    async def _start(self, instance: Instance) -> Adapter:
        name = instance.name
        self._states[name] = State.INITIALIZING
        try:
            adapter = await self._make(instance, self.catalog[instance.adapter])
            await self._init(name, adapter)
        except OneiricError as error:
            self._states[name], self._errors[name] = State.FAILED, error
            raise
        except BaseException:
            self._states[name] = State.STOPPED
            raise
        self._errors.pop(name, None)
        self._ready[name] = adapter
        self._states[name] = State.READY
        return adapter

    async def _make(self, instance: Instance, spec: AdapterSpec) -> Adapter:
        settings = await self._settings(instance, spec)
        adapter_class = spec.load()
        try:
            adapter = adapter_class(settings)
            adapter.name = instance.name
        except OneiricError:
            raise
        except Exception as error:
            sentence = f"Making the {adapter_class.__name__} of `{instance.name}` raised {type(error).__name__}."
            raise InitFailed(sentence, adapter=instance.name) from error
        return adapter

    async def _settings(self, instance: Instance, spec: AdapterSpec) -> AdapterSettings:
        """The instance's settings; here, and nowhere else, references become secrets: after all else was found right."""
        schemes = schemes_of(self.catalog.hooks, self.config.variables)
        problems = problems_of(spec.settings, instance.values, schemes)
        if not problems:
            values = await self._resolved(instance, schemes)
            settings, problems = check(spec.settings, values)
            if settings is not None:
                return settings
        raise ConfigError(f"The config of `{instance.name}` is wrong.", problems=problems, adapter=instance.name)

    async def _resolved(self, instance: Instance, schemes: Mapping[str, Resolver]) -> Mapping[str, Any]:
        if not has_references(instance.values):
            return instance.values
        try:
            async with asyncio.timeout(self.init_timeout):
                # In a thread: a resolver may ask a vault over the network.
                return cast("Mapping[str, Any]", await asyncio.to_thread(resolved, instance.values, schemes))
        except TimeoutError:
            sentence = f"The references of `{instance.name}` were not resolved within {self.init_timeout:g} s."
            raise DeadlineExceeded(sentence, adapter=instance.name) from None
        except UnresolvedReference as error:
            error.adapter = instance.name
            raise

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
        try:
            await within(self.cleanup_timeout, adapter.cleanup())
        except DeadlinePassed:
            _log.error("The cleanup of %s did not end within %g s.", name, self.cleanup_timeout)
        except Exception as error:  # noqa: BLE001 - one's cleanup must not keep another from its own
            _log.error("The cleanup of %s raised %s.", name, _kind(error))
        finally:
            self._states[name] = State.STOPPED


def _kind(error: Exception) -> str:
    return "CancelledError" if isinstance(error, Cancelled) else type(error).__name__
