"""What the conformance kit adds to the `oneiric` command line; imports no pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.hookspecs import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def oneiric_register_commands(app: typer.Typer) -> None:
    """Add `oneiric conformance`."""
    # Imported here: an application that discovers its adapters imports this module, and no command line.
    from oneiric.testing.conformance.command import conformance

    app.command("conformance")(conformance)
