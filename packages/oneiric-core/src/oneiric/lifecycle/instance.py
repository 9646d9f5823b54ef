"""One managed instance: its state, its adapter, and all that happens to it, one thing at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import stamina

from oneiric.adapters.base import Health
from oneiric.config import spec_of
from oneiric.errors import (
    ConfigError,
    DeadlineExceeded,
    InitFailed,
    NotInitialized,
    OneiricError,
    ShuttingDown,
    Unhealthy,
)
from oneiric.lifecycle.building import build
from oneiric.lifecycle.damping import Damper
from oneiric.lifecycle.deadline import Cancelled, DeadlinePassed, to_its_end, within
from oneiric.lifecycle.handle import make_handle, turn_handle
from oneiric.lifecycle.observers import Observers
from oneiric.lifecycle.states import TRANSITIONS, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from oneiric.adapters.base import Adapter
    from oneiric.config import Instance
    from oneiric.discovery import Catalog
    from oneiric.lifecycle.limits import Limits
    from oneiric.lifecycle.service import Service

_log = logging.getLogger(__name__)

_FIRST_WAIT, _LONGEST_WAIT, _JITTER = 0.1, 2.0, 0.5
"""Seconds between two attempts at an init."""


class ManagedInstance:
    """One instance of the config, at work.

    At most one of start, stop and swap runs at a time; the others wait for it. `service` takes the calls, where there is one.
    """

    def __init__(
        self, name: str, catalog: Catalog, limits: Limits, on_state: Callable[[str, State], None] | None = None
    ) -> None:
        self.name = name
        self.state = State.STOPPED
        self.error: OneiricError | None = None
        """Of the last attempt to start it, where that failed."""
        self.service: Service | None = None
        self.latest: Service
        """The one that takes the calls, or the last that did; from the first start on."""
        self.started_at = 0.0
        """When it was last started, by the monotonic clock."""
        self.is_closing = False
        """Whether its manager is being left, or has been."""
        self._catalog = catalog
        self._observers = Observers(catalog.hooks)
        self._limits = limits
        self._on_state = on_state
        self._handle: Adapter | None = None
        self._leaving: Service | None = None
        """The one that takes no more calls and is to be cleaned up."""
        self._preparation: asyncio.Timeout | None = None
        """Of a swap that waits for its caller to bring data over."""
        self._damper = Damper()
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a start, stop or swap is under way."""
        return self._lock.locked()

    @property
    def has_adapters(self) -> bool:
        """Whether there is any adapter to be cleaned up."""
        return self.service is not None or self._leaving is not None

    @property
    def handle(self) -> Adapter:
        """What the application calls; always the same object. Raises NotInitialized before the first start."""
        if self._handle is None:
            raise self.refusal()
        return self._handle

    def refusal(self) -> NotInitialized:
        """The error for a call that comes when there is no service."""
        sentence = f"`{self.name}` takes no calls: it is {self.state}."
        if self.is_closing:
            return ShuttingDown(sentence, adapter=self.name)
        return NotInitialized(sentence, adapter=self.name, hint=f"Get it again: `await adapters.get({self.name!r})`.")

    async def start(self, config: Instance, variables: Mapping[str, str]) -> Adapter:
        """Initialise it, unless it is; returns its handle. Those who wait for one attempt share its outcome."""
        earlier = self.error
        async with self._alone():
            if self.service is None:
                self._refuse_where_closing()
                await self._retire()  # where a `drain` was cancelled
                if self.error is not None and self.error is not earlier:  # of the attempt that this call has waited for
                    raise self.error.with_traceback(None)
                await self._start(config, variables)
            return self.handle

    async def stop(self) -> None:
        """Take no more calls, let those that are under way end, clean up; nothing where it is not running."""
        async with self._alone():
            try:
                await self._withdraw()
            finally:
                await self._retire()

    async def drain(self) -> None:
        """The first half of `stop`: take no more calls, and wait for those that are under way."""
        async with self._alone():
            await self._withdraw()
            if self._leaving is not None:
                await self._drained(self._leaving)

    @property
    def is_leaving(self) -> bool:
        """Whether its adapter takes no more calls, and is still to be cleaned up."""
        return self._leaving is not None

    def wait_no_more(self) -> None:
        """Let a stop that is to come not wait for calls."""
        for service in filter(None, (self.service, self._leaving)):
            service.wait_no_more()

    async def check(self) -> Health:
        """Ask the adapter for its health; the state follows after several answers in a row. Raises nothing."""
        service = self.service
        if service is None:
            return Health(ok=False, detail=f"It is {self.state}.")
        service.calls += 1
        try:
            health = await self._ask(service)
        finally:
            service.ended()
        if service is self.service:
            limits = self._limits
            is_healthy = self._damper.note(
                health.ok, unhealthy_after=limits.unhealthy_after, healthy_after=limits.healthy_after
            )
            self._move(State.READY if is_healthy else State.UNHEALTHY)
        await self._tell("health_checked", service.config, health=health)
        return health

    async def swap(
        self, config: Instance, variables: Mapping[str, str], prepare: Callable[[Any], Awaitable[object]] | None = None
    ) -> None:
        """Serve with another config: start and check its adapter beside the old one, switch, drain the old and clean it up.

        On any failure or cancellation before the switch the new adapter is cleaned up and the old one has never stopped
        serving. One that isn't running is started, unless something is to be brought over from it.
        """
        async with self._alone():
            self._refuse_where_closing()
            await self._retire()
            if self.service is None:
                if prepare is not None:  # it was stopped while this waited
                    raise self.refusal()
                await self._start(config, variables)
                return
            self._check_type(self.service.config, config)
            new = await self._launch(config, variables)
            try:
                await self._check_health(new)
                if prepare is not None:
                    await self._prepare(prepare, new)  # and no `await` from here to the switch: see AdapterManager.swap
            except BaseException:
                await self._clean(new)
                raise
            old = self.service
            self._serve(new)
            old.replaced_by(new)
            self._move(State.READY)
            previous = spec_of(old.config, self._catalog)
            try:
                await self._tell("swapped", config, previous=previous)
                await self._drained(old)
            finally:  # a swap that is cancelled now has happened: the calls must end all the same, and the old adapter go
                try:
                    await self._drained(old)
                finally:
                    await self._clean(old)

    def end_preparation(self) -> None:
        """Cancel what a swap is prepared by, where one is: nobody can say how long it would take."""
        if self._preparation is not None:
            self._preparation.reschedule(asyncio.get_running_loop().time())

    async def _prepare(self, prepare: Callable[[Any], Awaitable[object]], new: Service) -> None:
        try:
            async with asyncio.timeout(None) as self._preparation:
                await prepare(new.adapter)
        except BaseException as error:
            if self._preparation is not None and self._preparation.expired():
                raise self.refusal() from None
            new.hide_secrets(error)
            raise
        finally:
            self._preparation = None

    def _alone(self) -> asyncio.Lock:
        """The lock, of the event loop that runs now: a manager may be used in one after the other, but not in two at once."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return self._lock
        if self._loop is not None and self._lock.locked() and not self._loop.is_closed():
            sentence = f"`{self.name}` is being started, stopped or swapped in another event loop."
            raise OneiricError(sentence, adapter=self.name, hint="Make an AdapterManager for each event loop.")
        self._loop, self._lock = loop, asyncio.Lock()
        return self._lock

    def _refuse_where_closing(self) -> None:
        """For who has waited while the manager began to be left."""
        if self.is_closing:
            raise self.refusal()

    def _check_type(self, old: Instance, new: Instance) -> None:
        before, after = (spec_of(config, self._catalog).type for config in (old, new))
        if before != after:
            sentence = f"`{self.name}` is a {before} adapter, and can't be swapped for one of type {after}."
            raise ConfigError(sentence, adapter=self.name, hint="Configure another instance.")

    async def _check_health(self, new: Service) -> None:
        health = await self._ask(new)
        if not health:
            reason = health.detail or "It says that it is not healthy."
            raise Unhealthy(
                f"`{self.name}` was not swapped: the new adapter is not healthy. {reason}", adapter=self.name
            )

    async def _start(self, config: Instance, variables: Mapping[str, str]) -> None:
        started = time.perf_counter()
        self._move(State.INITIALIZING)
        try:
            await self._tell("initializing", config)
            service = await self._launch(config, variables)
        except OneiricError as error:
            self.error = error
            self._move(State.FAILED)
            await self._tell("init_failed", config, error=error)
            raise
        except BaseException:
            self._move(State.STOPPED)
            raise
        self.error = None
        self.started_at = time.monotonic()
        self._serve(service)
        self._move(State.READY)
        await self._tell("initialized", config, seconds=time.perf_counter() - started)

    def _serve(self, service: Service) -> None:
        kind = type(service.adapter)
        if self._handle is None:
            self._handle = make_handle(self, kind)
        turn_handle(self._handle, kind)
        self.service = self.latest = service
        self._damper = Damper()

    async def _launch(self, config: Instance, variables: Mapping[str, str]) -> Service:
        """Build and initialise an adapter; what fails for a transient reason is tried again while there is time."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._limits.init_timeout

        def is_worth_another(error: Exception) -> bool:
            is_transient = isinstance(error, OneiricError) and error.transient
            return is_transient and clock() + _LONGEST_WAIT < deadline

        attempts = stamina.retry_context(
            on=is_worth_another,
            attempts=self._limits.init_attempts,
            timeout=None,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_JITTER,
        ).with_name(f"init of {self.name}", (), {})
        async for attempt in attempts:
            with attempt:
                return await self._attempt(config, variables, deadline - clock())
        raise AssertionError("An attempt returns or raises.")

    async def _attempt(self, config: Instance, variables: Mapping[str, str], timeout: float) -> Service:
        service = await build(config, self._catalog, variables, timeout)
        try:
            await within(timeout, service.adapter.init())
        except BaseException as error:
            await self._clean(service)
            service.hide_secrets(error)
            if isinstance(error, OneiricError) or not isinstance(error, Exception):
                raise
            if isinstance(error, DeadlinePassed):
                sentence = f"`{self.name}` was not initialised within {self._limits.init_timeout:g} s."
                raise DeadlineExceeded(sentence, adapter=self.name) from None
            raise InitFailed(f"The init of `{self.name}` raised {_kind(error)}.", adapter=self.name) from error
        return service

    async def _withdraw(self) -> None:
        if self.service is None:
            return
        self._leaving, self.service = self.service, None
        self._move(State.CLEANING_UP)
        await self._tell("cleaning_up", self._leaving.config)

    async def _retire(self) -> None:
        """Drain and clean up what has been withdrawn; where we are cancelled, without waiting for its calls any longer."""
        service, failure = self._leaving, None
        if service is None:
            return
        try:
            await self._drained(service)
        finally:
            try:
                failure = await self._clean(service)
            finally:
                self._leaving = None
                self._move(State.STOPPED)
        await self._tell("cleaned_up", service.config, error=failure)

    async def _drained(self, service: Service) -> None:
        if not await service.drain(self._limits.drain_timeout):
            timeout = self._limits.drain_timeout
            _log.warning("%s: %d calls did not end within %g s.", self.name, service.calls, timeout)

    async def _clean(self, service: Service) -> Exception | None:
        """Clean one adapter up, also where we are cancelled meanwhile; what goes wrong is logged and returned."""
        return await to_its_end(self._cleaned(service))

    async def _cleaned(self, service: Service) -> Exception | None:
        timeout = self._limits.cleanup_timeout + service.left_to_drain()
        try:
            await within(timeout, service.adapter.cleanup())
        except DeadlinePassed:
            sentence = f"The cleanup of {self.name} did not end within {timeout:g} s."
            _log.error(sentence)
            return DeadlineExceeded(sentence, adapter=self.name)
        except Exception as error:  # noqa: BLE001 - one's cleanup must not keep another from its own
            _log.error("The cleanup of %s raised %s.", self.name, _kind(error))  # its message may hold anything
            try:
                service.hide_secrets(error)
            except OneiricError as other:  # in the place of one that would show a secret
                return other
            return error
        return None

    async def _ask(self, service: Service) -> Health:
        started, timeout = time.perf_counter(), self._limits.health_timeout
        try:
            answer = await within(timeout, service.adapter.health())
            health = service.shown(answer) if isinstance(answer, Health) else Health(ok=bool(answer))
        except DeadlinePassed:
            return Health(ok=False, detail=f"It did not answer within {timeout:g} s.")
        except Exception as error:  # noqa: BLE001 - health() should not raise; one that does is not healthy
            return Health(ok=False, detail=f"Its health check raised {_kind(error)}.")
        latency = health.latency_ms or (time.perf_counter() - started) * 1000
        return replace(health, latency_ms=latency)

    def _move(self, state: State) -> None:
        if state is self.state:
            return
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"{self.name} can't go from {self.state} to {state}.")
        self.state = state
        if self._on_state is None:
            return
        try:
            self._on_state(self.name, state)
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - who watches breaks nothing
            _log.warning("on_state raised %s.", type(error).__name__)

    async def _tell(self, event: str, config: Instance, **facts: Any) -> None:
        """Tell the observers; of an instance whose adapter is not installed there is nothing to tell."""
        if config.adapter in self._catalog:
            await self._observers.tell(event, instance=self.name, spec=self._catalog[config.adapter], **facts)


def _kind(error: Exception) -> str:
    return "CancelledError" if isinstance(error, Cancelled) else type(error).__name__
