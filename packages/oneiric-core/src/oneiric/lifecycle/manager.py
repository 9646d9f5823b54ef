"""AdapterManager: makes each configured adapter at its first use, once, watches over it, and cleans all of them up."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from oneiric.adapters.base import Adapter, Health
from oneiric.config import ConfigStore, Instance
from oneiric.discovery import Catalog, discover
from oneiric.errors import ConfigError, OneiricError, ShuttingDown
from oneiric.lifecycle.deadline import to_its_end
from oneiric.lifecycle.instance import ManagedInstance
from oneiric.lifecycle.limits import Limits
from oneiric.lifecycle.signals import until_signalled
from oneiric.lifecycle.states import State

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

AdapterT = TypeVar("AdapterT", bound=Adapter)


class AdapterManager:
    """Owns the adapters of a config.

    `async with AdapterManager.from_config() as adapters:`, then `await adapters.get("orders")`. Nothing is initialised
    before it is asked for, so an application starts with any of its backends down.

    `on_state` is called with the instance's name and its new state at every change of state, for which there is a table:
    `oneiric.lifecycle.TRANSITIONS`.
    """

    def __init__(
        self,
        config: ConfigStore,
        catalog: Catalog | None = None,
        *,
        limits: Limits | None = None,
        on_state: Callable[[str, State], None] | None = None,
    ) -> None:
        self.catalog = discover() if catalog is None else catalog
        self.limits = limits or Limits()
        self._config = config
        self._swapped: dict[str, Instance] = {}
        self._on_state = on_state
        self._instances: dict[str, ManagedInstance] = {}
        self._is_closed = False
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        limits: Limits | None = None,
    ) -> Self:
        """A manager of what the config's layers name: see `ConfigStore.load`."""
        return cls(ConfigStore.load(path, overrides=overrides), limits=limits)

    @property
    def config(self) -> ConfigStore:
        """What instances are started with. A new one takes effect at each instance's next start; a swap is forgotten then."""
        return self._config

    @config.setter
    def config(self, config: ConfigStore) -> None:
        self._config = config
        self._swapped.clear()

    async def __aenter__(self) -> Self:
        self._set_closed(False)
        if self.limits.health_interval is not None and self._watching is None:
            self._watching = asyncio.create_task(self._watch(self.limits.health_interval))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @overload
    async def get(self, name: str) -> Adapter: ...
    @overload
    async def get(self, name: str, contract: Callable[..., AdapterT]) -> AdapterT: ...
    async def get(self, name: str, contract: Callable[..., Adapter] = Adapter) -> Adapter:
        """The adapter of a configured instance, initialised once however many tasks ask for it at the same time.

        What comes back is the same object at every call, may be kept, and goes on working when the instance is swapped.

        `contract` (DatabaseAdapter, …) is the class it is expected to be of, for the type checker and as a check (and not
        typed as `type[…]`, for which mypy refuses an abstract class). Raises UnknownAdapter, AdapterUnavailable,
        ConfigError, DeadlineExceeded, InitFailed, ShuttingDown, or what the adapter's `init` raises of our errors. Tasks
        that wait for one attempt share its outcome; a call after a failed one tries again.
        """
        instance = self._instances.get(name)
        if instance is None or instance.service is None:
            adapter = await self._start(name)
        else:
            adapter = instance.handle
        if contract is not Adapter and not isinstance(adapter, cast("type[Adapter]", contract)):
            expected = cast("type[Adapter]", contract).__name__
            raise ConfigError(
                f"The instance `{name}` is a {adapter.__class__.__name__}, not a {expected}.", adapter=name
            )
        return adapter

    def state(self, name: str) -> State:
        """Where the instance is in its life. Raises UnknownAdapter."""
        instance = self._instances.get(name)
        return instance.state if instance else self._never_started(name)

    def error(self, name: str) -> OneiricError | None:
        """Why the last attempt to start the instance failed, where it did. Raises UnknownAdapter."""
        instance = self._instances.get(name)
        if instance is None:
            self._never_started(name)
            return None
        return instance.error

    async def health(self, name: str) -> Health:
        """Ask one instance; never raises for what its backend does. Not initialised is not healthy. Raises UnknownAdapter.

        The answer is of this moment; the state goes to `unhealthy` and back after several in a row (see `Limits`).
        """
        instance = self._instances.get(name)
        if instance is None:
            return Health(ok=False, detail=f"It is {self._never_started(name)}.")
        return await instance.check()

    async def swap(
        self, name: str, config: Mapping[str, Any], *, prepare: Callable[[Any], Awaitable[object]] | None = None
    ) -> None:
        """Serve an instance with other settings, from now on and until its config is read again; no call is lost.

        `config` is the whole config as under the instance's name in YAML, `adapter` included where it is another one (of
        the same type). The new adapter is initialised and must be healthy before it takes the calls; then the old one ends
        those under way and is cleaned up. On any failure the old one has never stopped serving. Raises as `get` does, and
        Unhealthy.

        `prepare` is awaited with the new adapter, initialised and healthy, while the old one still takes the calls: it brings
        over what that one holds. What it raises ends the swap, and comes to the caller. Nothing else runs between its return
        and the switch, so who was kept waiting by it until then meets the new adapter. An instance that isn't running is
        started first. `prepare` has no deadline; where the manager is left it is cancelled, and this raises ShuttingDown.
        """
        configured = self._configured(name)
        values = dict(config)
        adapter = values.pop("adapter", configured.adapter)
        new = Instance(name, str(adapter), values)
        if self._is_closed:
            raise self._closed(name)
        if prepare is not None:
            await self.get(name)
        instance, before = self._managed(name), self._config
        try:
            await instance.swap(new, before.variables, prepare)
        finally:  # also where cancelled after the switch
            if instance.service is not None and instance.service.config is new and self._config is before:
                self._swapped[name] = new

    async def cleanup(self, name: str | None = None) -> None:
        """Clean one instance up, or all: the last initialised first, each within its deadline; one that fails stops no other.

        Each takes no more calls, and lets those under way end before its cleanup. One that another task is just
        initialising is waited for, and cleaned up after the others. Where this is cancelled, it waits for no more calls, and
        ends when those that no longer take any are cleaned up. Raises UnknownAdapter.
        """
        if name is not None:
            instance = self._instances.get(name)
            if instance is None:
                self._never_started(name)
            else:
                await instance.stop()
            return
        # Each once: what others start meanwhile is theirs.
        at_work = [instance for instance in self._instances.values() if instance.has_adapters or instance.is_busy]
        try:
            await asyncio.gather(*(each.drain() for each in at_work if each.service and not each.is_busy))
            await self._stop(at_work)
        except asyncio.CancelledError:
            for instance in at_work:
                instance.wait_no_more()
            await to_its_end(self._stop([instance for instance in at_work if instance.is_leaving]))
            raise

    @staticmethod
    async def _stop(instances: Iterable[ManagedInstance]) -> None:
        exits: list[BaseException] = []
        for instance in sorted(
            instances, key=lambda each: each.started_at if each.has_adapters else -1.0, reverse=True
        ):
            try:
                await instance.stop()
            except (KeyboardInterrupt, SystemExit) as error:  # what the others' cleanup does not wait for
                exits.append(error)
        if exits:
            raise exits[0]

    async def close(self) -> None:
        """End the background checks and clean all up; then `get` raises ShuttingDown. Leaving `async with` does this.

        Where it is cancelled, it waits for no more calls, but cleans all up before it ends: nobody would do it later.
        """
        self._set_closed(True)
        try:
            await to_its_end(self._unwatch())
            await self.cleanup()
        except asyncio.CancelledError:
            for instance in self._instances.values():
                instance.wait_no_more()
            await to_its_end(self.cleanup())
            raise

    def until_signalled(self) -> AbstractAsyncContextManager[None]:
        """`async with adapters.until_signalled():` ends its block at SIGTERM or SIGINT, when all is drained and cleaned up.

        At the signal no further call is taken, those under way are finished, and every adapter is cleaned up, each within
        its limits; then the block is cancelled, and the program goes on after it. ShuttingDown, which the block's further
        calls get, goes no further than the block. A second signal does what it does without all this.
        """
        return until_signalled(self.close)

    def _set_closed(self, is_closed: bool) -> None:
        self._is_closed = is_closed
        for instance in self._instances.values():
            instance.is_closing = is_closed
            if is_closed:
                instance.end_preparation()

    async def _start(self, name: str) -> Adapter:
        configured = self._configured(name)
        if self._is_closed:
            raise self._closed(name)
        return await self._managed(name).start(configured, self._config.variables)

    def _managed(self, name: str) -> ManagedInstance:
        if name not in self._instances:
            self._instances[name] = ManagedInstance(name, self.catalog, self.limits, self._on_state)
        return self._instances[name]

    def _configured(self, name: str) -> Instance:
        return self._swapped.get(name) or self._config[name]

    def _never_started(self, name: str) -> State:
        """The state of an instance that nobody has asked for. Raises UnknownAdapter."""
        self._configured(name)
        return State.STOPPED

    def _closed(self, name: str) -> ShuttingDown:
        hint = "Use it inside `async with`, or make another AdapterManager."
        return ShuttingDown(f"`{name}` is asked for after its AdapterManager was left.", adapter=name, hint=hint)

    async def _unwatch(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait({watching})

    async def _watch(self, interval: float) -> None:
        while True:
            # At a time of its own, so that many processes don't ask at once.
            await asyncio.sleep(interval * random.uniform(0.9, 1.1))  # noqa: S311
            await asyncio.gather(*(instance.check() for instance in self._instances.values()))
