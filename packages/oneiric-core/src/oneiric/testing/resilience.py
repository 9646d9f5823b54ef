"""A backend that fails: refuses, says nothing, resets, answers byte by byte, breaks off, and comes back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import pytest_asyncio

from oneiric.errors import ConnectionFailed, DeadlineExceeded, OneiricError
from oneiric.lifecycle.deadline import DeadlinePassed, within
from oneiric.testing.calls import call, methods_of, takes_timeout
from oneiric.testing.guard import skip
from oneiric.testing.held import Held, left_behind
from oneiric.testing.proxy import Fault, FaultProxy
from oneiric.testing.rerouting import targets_of, with_timeouts
from oneiric.testing.stalls import longest_stall
from oneiric.testing.under_test import AdapterUnderTest, shows_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

    from oneiric.adapters.base import Adapter
    from oneiric.adapters.targets import Targets
    from oneiric.spec import AdapterSpec

_COMES_BACK_WITHIN = 30.0
_LONGEST_STALL = 0.5
"""Seconds: less than any deadline, and more than a busy machine takes from us."""
_ROUNDS = 10

_FAULTS = [Fault.REFUSED, Fault.SILENT, Fault.BLACKHOLE, Fault.RESET, Fault.SLOW, Fault.CUT]
_MAY_SUCCEED = {Fault.SLOW, Fault.CUT}
"""Where a call may have its answer all the same: one that is short, or that is safe to be made again."""


class ResilienceTests(AdapterUnderTest):
    """What holds where the backend is behind a network, which fails."""

    patience: ClassVar[float] = 10.0
    """Seconds within which a call has to end, whatever the network does, with settings that are `hurried`."""

    @pytest_asyncio.fixture(loop_scope="function")
    async def proxy(self, spec: AdapterSpec, config: Mapping[str, Any]) -> AsyncIterator[FaultProxy]:
        """A proxy in front of the backend."""
        targets = targets_of(spec.settings, config)
        if targets is None or len(targets.endpoints) != 1:
            skip(f"no network to fail: the settings' targets() names {_count(targets)}")
        (endpoint,) = targets.endpoints
        async with FaultProxy(endpoint.host, endpoint.port) as proxy:
            yield proxy

    @pytest.fixture
    def behind(
        self, make: Callable[..., Adapter], spec: AdapterSpec, config: Mapping[str, Any], proxy: FaultProxy
    ) -> Callable[[], Adapter]:
        """Make an adapter that goes through the proxy, and doesn't wait for long."""

        def behind() -> Adapter:
            adapter = make(**self.hurried(self.through(config, proxy.host, proxy.port), spec))
            found = adapter.settings.targets()
            assert found is not None, "targets() says nothing of the config that `through` gives."
            ports = {(endpoint.host, endpoint.port) for endpoint in found.endpoints}
            assert ports == {(proxy.host, proxy.port)}, f"`through` gives a config of {ports}: override it."
            return adapter

        return behind

    @pytest_asyncio.fixture(loop_scope="function")
    async def proxied(self, behind: Callable[[], Adapter], proxy: FaultProxy) -> AsyncIterator[Adapter]:
        """An initialised adapter that goes through the proxy."""
        async with behind() as adapter:
            await self.probe(adapter)
            assert proxy.accepted, "The adapter works, and not through the proxy: it connects past its targets()."
            yield adapter

    @pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.SILENT, Fault.RESET, Fault.SLOW, Fault.CUT])
    async def test_an_init_against_a_network_that_fails_ends_in_time_with_a_transient_error(
        self, behind: Callable[[], Adapter], proxy: FaultProxy, fault: Fault
    ) -> None:
        """An application, or its manager, tries again by itself."""
        adapter = behind()
        await proxy.fail(fault)
        error = await self._error(adapter.init(), "init()")
        await within(self.patience, adapter.cleanup())
        _check(error, adapter, f"init(), with the network {fault},", may_succeed=fault in _MAY_SUCCEED)

    @pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.SILENT, Fault.RESET])
    async def test_an_init_after_one_that_failed_works_when_the_network_does(
        self, behind: Callable[[], Adapter], proxy: FaultProxy, fault: Fault
    ) -> None:
        """With nothing but a cleanup between them."""
        adapter = behind()
        await proxy.fail(fault)
        await self._error(adapter.init(), "init()")
        await within(self.patience, adapter.cleanup())
        await proxy.fail(Fault.NONE)
        async with adapter:
            await self.probe(adapter)

    @pytest.mark.parametrize("fault", _FAULTS)
    async def test_a_call_over_a_network_that_fails_ends_in_time_with_a_transient_error(
        self, proxied: Adapter, proxy: FaultProxy, fault: Fault
    ) -> None:
        """No call hangs, and none shows what the driver raised."""
        await proxy.fail(fault)
        for _ in range(2):
            error = await self._error(self.probe(proxied), "A call")
            _check(error, proxied, f"A call, with the network {fault},", may_succeed=fault in _MAY_SUCCEED)

    async def test_a_call_ends_at_the_timeout_that_it_is_given(
        self, make: Callable[..., Adapter], spec: AdapterSpec, config: Mapping[str, Any], proxy: FaultProxy
    ) -> None:
        """Where the backend says nothing, each method that takes a `timeout` heeds it, whatever the settings say."""
        methods = [method for method in methods_of(self.contract) if takes_timeout(self.contract, method)]
        if not methods:
            skip("no method of the contract takes a timeout")
        patient = with_timeouts(self.through(config, proxy.host, proxy.port), spec.settings, 10 * self.patience)
        async with make(**patient) as adapter:
            await self.probe(adapter)
            await proxy.fail(Fault.BLACKHOLE)
            calls = (
                self._error(call(adapter, self.contract, method, timeout=0.5), f"{method}(timeout=0.5)")
                for method in methods
            )
            errors = dict(zip(methods, await asyncio.gather(*calls), strict=True))
            await proxy.fail(Fault.REFUSED)  # which ends the connections that nothing more comes over
        wrong = {method: repr(error) for method, error in errors.items() if not isinstance(error, OneiricError)}
        assert wrong == {}, f"The backend says nothing, and each of these has to raise one of our errors: {wrong}."

    @pytest.mark.parametrize("fault", _FAULTS)
    async def test_the_adapter_works_again_when_the_network_does(
        self, proxied: Adapter, proxy: FaultProxy, fault: Fault
    ) -> None:
        """By itself: nobody has to call `init` again."""
        await proxy.fail(fault)
        await asyncio.gather(*(self._error(self.probe(proxied), "A call") for _ in range(5)))
        await proxy.fail(Fault.NONE)
        await self._comes_back(proxied)
        await asyncio.gather(*(self.probe(proxied) for _ in range(20)))

    async def test_the_adapter_works_again_after_a_restart_of_the_server(
        self, proxied: Adapter, proxy: FaultProxy
    ) -> None:
        """The connections that it had are gone, and nobody was calling when they went."""
        await proxy.restart()
        error = await self._error(self.probe(proxied), "The first call after a restart")
        _check(error, proxied, "The first call after a restart", may_succeed=True)
        await self._comes_back(proxied)

    @pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.BLACKHOLE])
    async def test_health_is_no_while_the_network_fails_and_yes_again_after_it(
        self, proxied: Adapter, proxy: FaultProxy, fault: Fault
    ) -> None:
        """It asks the backend, and doesn't wait for it for ever."""
        await proxy.fail(fault)
        health = await self._in_time(proxied.health(), "health()")
        assert not health, f"The network is {fault}, and health() says yes: {health!r}."
        assert not shows_secret(health, proxied), f"The network is {fault}, and what health() says shows a secret."
        await proxy.fail(Fault.NONE)
        await self._comes_back(proxied)
        health = await self._in_time(proxied.health(), "health()")
        assert health, f"The adapter works again, and health() says no: {health!r}."

    @pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.BLACKHOLE])
    async def test_cleanup_ends_in_time_while_the_network_fails_and_leaves_nothing_behind(
        self, behind: Callable[[], Adapter], proxy: FaultProxy, fault: Fault
    ) -> None:
        """An application has to be able to stop when its backend is gone."""
        before = Held.now()
        adapter = behind()
        await adapter.init()
        await self.probe(adapter)
        await proxy.fail(fault)
        error = await self._error(adapter.cleanup(), "cleanup()")
        assert error is None, f"cleanup(), with the network {fault}, raised {type(error).__name__}: {error}."
        await proxy.fail(Fault.REFUSED)  # which closes the proxy's own ends
        left = await left_behind(before)
        assert left == [], f"cleanup(), with the network {fault}, leaves behind: {left}."

    async def test_a_call_that_is_cancelled_while_the_backend_is_silent_ends_and_the_adapter_is_usable(
        self, proxied: Adapter, proxy: FaultProxy
    ) -> None:
        """The connection that waits for an answer is not given to the next call, which would read the wrong one."""
        await proxy.fail(Fault.BLACKHOLE)
        calls = [asyncio.ensure_future(self.probe(proxied)) for _ in range(3)]
        await asyncio.wait(calls, timeout=0.1)
        for each in calls:
            each.cancel()
        _, unfinished = await asyncio.wait(calls, timeout=self.patience)
        assert not unfinished, f"Calls that were cancelled did not end within {self.patience:.0f} s."
        await proxy.fail(Fault.NONE)
        await self._comes_back(proxied)

    async def test_failures_leave_nothing_behind(self, proxied: Adapter, proxy: FaultProxy) -> None:
        """A connection that broke is closed on our side too."""
        await self._break_and_mend(proxied, proxy)
        before = Held.now()
        for _ in range(_ROUNDS):
            await self._break_and_mend(proxied, proxy)
        left = await left_behind(before, allowed=_ROUNDS - 1)
        assert left == [], f"After {_ROUNDS} times a connection that was reset, and a call that worked: {left}."

    async def test_the_event_loop_goes_on_while_the_backend_is_silent(
        self, behind: Callable[[], Adapter], proxied: Adapter, proxy: FaultProxy
    ) -> None:
        """Waiting for a connection or an answer blocks nobody else."""
        await proxy.fail(Fault.BLACKHOLE)
        other = behind()
        for work, which in ((self.probe(proxied), "A call"), (other.init(), "init()")):
            stall = await longest_stall(self._error(work, which))
            assert stall < _LONGEST_STALL, f"{which} blocks the event loop while it waits, here for {stall:.1f} s."
        await within(self.patience, other.cleanup())

    async def _break_and_mend(self, adapter: Adapter, proxy: FaultProxy) -> None:
        await proxy.fail(Fault.RESET)
        await self._error(self.probe(adapter), "A call")
        await proxy.fail(Fault.NONE)
        await self._comes_back(adapter)

    async def _comes_back(self, adapter: Adapter) -> None:
        """Call until a call works."""
        deadline = time.monotonic() + _COMES_BACK_WITHIN
        while (error := await self._error(self.probe(adapter), "A call")) is not None:
            _check(error, adapter, "A call, just after the network had failed,", may_succeed=True)
            if time.monotonic() > deadline:
                pytest.fail(f"The network works again for {_COMES_BACK_WITHIN:.0f} s, and calls raise {error!r}.")
            await asyncio.sleep(0.05)

    async def _error(self, call: Coroutine[Any, Any, object], which: str) -> Exception | None:
        """What a call raises, or None where it returns; fails where it does neither in time."""
        try:
            await self._in_time(call, which)
        except Exception as error:  # noqa: BLE001 - which it is, is looked at
            return error
        return None

    async def _in_time(self, call: Coroutine[Any, Any, object], which: str) -> object:
        try:
            return await within(self.patience, call)
        except DeadlinePassed:
            pytest.fail(f"{which} did not end within {self.patience:.0f} s: it needs a deadline, or a shorter one.")


def _check(error: Exception | None, adapter: Adapter, which: str, *, may_succeed: bool) -> None:
    if error is None:
        assert may_succeed, f"{which} raised nothing, though it can't have had an answer."
        return
    assert isinstance(error, OneiricError), f"{which} raised {error!r}, which is not one of our errors."
    assert isinstance(error, ConnectionFailed | DeadlineExceeded), (
        f"{which} raised {error!r}: it has to be ConnectionFailed or DeadlineExceeded."
    )
    assert error.transient, f"{which} raised {error!r}, whose `transient` is False: the same call may succeed later."
    assert error.adapter == adapter.name, (
        f"{which} raised {error!r}, whose adapter is {error.adapter!r}: give it its name."
    )


def _count(targets: Targets | None) -> str:
    if targets is None or not targets.endpoints:
        return "no endpoint"
    return f"{len(targets.endpoints)} endpoints, and the kit's proxy stands before one"
