"""Does an adapter work with this config? Stage by stage, with an adapter of its own, beside everything else."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from oneiric.adapters.targets import Targets
from oneiric.config import ConfigStore, schemes_of, spec_of
from oneiric.diagnostics import network
from oneiric.diagnostics.guard import Guard, guarded
from oneiric.diagnostics.preparation import prepare, stored_targets
from oneiric.diagnostics.progress import Progress
from oneiric.diagnostics.result import StageName
from oneiric.discovery import Catalog
from oneiric.errors import ConnectionFailed, DeadlineExceeded, InitFailed, OneiricError, TargetRefused, Unhealthy
from oneiric.lifecycle import AdapterManager, Limits

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine, Iterator, Mapping, Sequence

    from oneiric.config import Instance
    from oneiric.diagnostics.allowed import AllowedTargets
    from oneiric.diagnostics.preparation import Prepared
    from oneiric.diagnostics.result import ConnectionTest
    from oneiric.spec import AdapterSpec

T = TypeVar("T")

MAX_ENDPOINTS = 64
"""How many endpoints one config may name."""

_CLEANUP = 5.0
"""Seconds that the cleanup may take; what it does is no part of the answer."""


async def check_connection(
    instance: Instance,
    catalog: Catalog,
    *,
    variables: Mapping[str, str] = os.environ,
    timeout: float = 10.0,
    allowed: AllowedTargets | None = None,
) -> ConnectionTest:
    """Resolve, connect, shake hands, initialise an adapter of its own, ask its health, clean it up.

    `timeout` (seconds) bounds each stage, and three times that all of them. `allowed` is given for a config that came over
    the wire: it is tried only where it reaches nothing else, and the answer repeats nothing that a backend says. `variables`
    is what `{$env: …}` is looked up in. Raises nothing for what the config or the backend do.

    Link-local addresses and the metadata services of clouds are refused, whosever config it is: by name, by address, behind a
    name, and where the driver goes there by itself (see `guard` for what that can't see).
    """
    if allowed is not None and any(_is_same(instance, stored) for stored in allowed.stored):
        allowed = None
    progress = Progress(timeout, is_open=allowed is None)
    try:
        await _test(instance, catalog, variables, allowed, progress)
    except OneiricError as error:
        return progress.answer(error)
    return progress.answer(None)


def _is_same(instance: Instance, stored: Instance) -> bool:
    try:
        return (instance.adapter, instance.values) == (stored.adapter, stored.values)
    except RecursionError:  # a config that holds itself, and one that somebody has made as deep
        return False


async def _test(
    instance: Instance,
    catalog: Catalog,
    variables: Mapping[str, str],
    allowed: AllowedTargets | None,
    progress: Progress,
) -> None:
    spec = spec_of(instance, catalog)
    schemes = schemes_of(catalog.hooks, variables)
    prepared = await prepare(instance, spec, schemes, progress.seconds(), allowed)
    progress.secrets = prepared.secrets
    if allowed is not None:
        stored = await stored_targets(allowed.stored, catalog, schemes, progress.seconds())
        allowed.check_targets(instance, prepared.targets, stored)
    targets = prepared.targets or Targets()
    spec.load()  # before anything is connected to: a driver that is missing is the simpler answer
    with ExitStack() as opened:
        reached = await _reach(prepared.targets, progress, opened)
    guard = Guard()
    if allowed is not None:
        addresses = frozenset(address for resolved in reached for address in resolved.addresses)
        guard = Guard(addresses, frozenset(targets.files))
    with guarded(guard):
        await _use(prepared, spec, guard, progress)


async def _reach(targets: Targets | None, progress: Progress, opened: ExitStack) -> Sequence[network.Resolved]:
    """The stages on the network."""
    endpoints = targets.endpoints if targets else ()
    if not endpoints:
        reason = "The adapter opens no connection." if targets else "The adapter doesn't say what it connects to."
        for name in (StageName.RESOLVE, StageName.CONNECT, StageName.TLS):
            progress.skip(name, reason)
        return ()
    if len(endpoints) > MAX_ENDPOINTS:
        raise ConnectionFailed(f"The config names more than {MAX_ENDPOINTS} endpoints.", hint="Name fewer.")
    with progress.stage(StageName.RESOLVE) as details:
        seconds = progress.seconds()
        resolved = await _any_of([network.resolve(endpoint, seconds) for endpoint in endpoints], details)
        details += [f"{one.name} is {', '.join(map(str, one.addresses[:4]))}" for one in resolved]
    with progress.stage(StageName.CONNECT) as details:
        seconds = progress.seconds()
        connected = await _any_of([_connect(one, seconds, opened) for one in resolved], details)
        details += [f"{one.name} answers" for one, _ in connected]
    with_tls = [(one, connection) for one, connection in connected if one.endpoint.tls]
    if not with_tls:
        progress.skip(StageName.TLS, "No endpoint speaks TLS from its first byte.")
        return resolved
    with progress.stage(StageName.TLS) as details:
        seconds = progress.seconds()
        details += await _any_of(
            [network.shake_hands(one, connection, seconds) for one, connection in with_tls], details
        )
    return resolved


async def _connect(
    resolved: network.Resolved, seconds: float, opened: ExitStack
) -> tuple[network.Resolved, socket.socket]:
    return resolved, opened.enter_context(await network.connect(resolved, seconds))


async def _any_of(attempts: Sequence[Coroutine[None, None, T]], details: list[str]) -> list[T]:
    """What succeeds; what fails is a detail, as a cluster may have members that are away.

    Raises the first error where all fail, and any TargetRefused.
    """
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    errors.sort(key=lambda error: isinstance(error, OneiricError) and not isinstance(error, TargetRefused))
    if errors and (len(errors) == len(outcomes) or not isinstance(errors[0], ConnectionFailed | DeadlineExceeded)):
        raise errors[0]
    details += map(str, errors)
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


async def _use(prepared: Prepared, spec: AdapterSpec, guard: Guard, progress: Progress) -> None:
    """The stages of the adapter itself."""
    instance, seconds = prepared.instance, progress.seconds()
    limits = Limits(init_timeout=seconds, init_attempts=1, cleanup_timeout=min(_CLEANUP, progress.timeout))
    # A catalog without hooks: nobody's observer is told of a test.
    manager = AdapterManager(ConfigStore({instance.name: instance}), Catalog([spec]), limits=limits)
    async with manager:
        with progress.stage(StageName.AUTHENTICATE), _refusals_of(guard):
            await manager.get(instance.name)
        limits.health_timeout = progress.seconds()
        with progress.stage(StageName.PING), _refusals_of(guard):
            health = await manager.health(instance.name)
            if not health:
                raise Unhealthy(health.detail or "It says that it is not healthy.", adapter=instance.name)


@contextmanager
def _refusals_of(guard: Guard) -> Iterator[None]:
    """Raise what the guard refused in this block, whatever the driver made of it; and keep the process."""
    try:
        yield
    except (OneiricError, SystemExit) as error:
        if guard.refusals:
            raise guard.refusals[0] from error
        if isinstance(error, SystemExit):
            raise InitFailed("The adapter raised SystemExit, which would end the process.") from error
        raise
    if guard.refusals:
        raise guard.refusals[0]
