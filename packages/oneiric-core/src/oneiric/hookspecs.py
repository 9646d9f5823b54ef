"""The hooks that a plugin may implement: one typed signature and its contract each.

A plugin is a module (or object) named by an entry point in group `oneiric`, with functions marked `@hookimpl`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import typer

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
def oneiric_register_commands(app: typer.Typer) -> None:
    """Add commands to the `oneiric` command line; what a command needs is imported when it runs."""
