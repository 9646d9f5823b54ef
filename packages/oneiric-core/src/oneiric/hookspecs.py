"""The hooks that a plugin may implement: one typed signature and its contract each.

A plugin is a module (or object) named by an entry point in group `oneiric`, with functions marked `@hookimpl`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    import typer

    from oneiric.adapters.base import Health
    from oneiric.spec import AdapterSpec

PROJECT = "oneiric"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def oneiric_adapters() -> Iterable[AdapterSpec]:  # type: ignore[empty-body]
    """Declare the adapters that this plugin brings; imports no driver, opens nothing."""


@hookspec
def oneiric_secret_resolvers() -> Mapping[str, Callable[[str], str]]:  # type: ignore[empty-body]
    """Bring schemes of references: `{"vault": resolve}` makes `{$vault: db/password}` work.

    `resolve` is given what stands behind the scheme and returns the secret, or raises; it is called in a thread, when an
    adapter is initialised. `env` and `file` can't be replaced.
    """


@hookspec
def oneiric_adapter_initializing(instance: str, spec: AdapterSpec) -> Awaitable[None] | None:
    """An instance's adapter is about to be initialised.

    This and the hooks of the lifecycle below are observers: plain functions or coroutines. What one raises is logged and
    goes no further, and one that takes longer than a second is left behind.
    """


@hookspec
def oneiric_adapter_initialized(instance: str, spec: AdapterSpec, seconds: float) -> Awaitable[None] | None:
    """An instance is ready; it took that many seconds, its references and the import of its driver included."""


@hookspec
def oneiric_adapter_init_failed(instance: str, spec: AdapterSpec, error: Exception) -> Awaitable[None] | None:
    """An instance could not be initialised, and is cleaned up; the next use tries again."""


@hookspec
def oneiric_adapter_health_checked(instance: str, spec: AdapterSpec, health: Health) -> Awaitable[None] | None:
    """An instance was asked for its health, and this was the answer."""


@hookspec
def oneiric_adapter_cleaning_up(instance: str, spec: AdapterSpec) -> Awaitable[None] | None:
    """An instance's adapter is about to be cleaned up."""


@hookspec
def oneiric_adapter_cleaned_up(instance: str, spec: AdapterSpec, error: Exception | None) -> Awaitable[None] | None:
    """An instance's adapter is cleaned up, or has failed at it with that error."""


@hookspec
def oneiric_adapter_swapped(instance: str, spec: AdapterSpec, previous: AdapterSpec) -> Awaitable[None] | None:
    """An instance serves with a new config and adapter; that of `previous`, which may be the same spec, is drained next."""


@hookspec
def oneiric_demo_apps() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Bring applications that `oneiric demo --app NAME` runs: `{"shop": "shop.demo:demo"}`, imported when it is run.

    The function is given an empty folder (a `Path`) and gives an async iterator of pairs of texts, a step and what came of it;
    what it raises ends the demo as failed. It leaves nothing running.
    """


@hookspec
def oneiric_register_commands(app: typer.Typer) -> None:
    """Add commands to the `oneiric` command line; what a command needs is imported when it runs."""
