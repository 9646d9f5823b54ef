"""What the authors of adapters have beside in the `oneiric` command line; imports no pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.hookspecs import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def oneiric_register_commands(app: typer.Typer) -> None:
    """Add `oneiric conformance` and `oneiric new`."""
    # Imported here: an application that discovers its adapters imports this module, and no command line.
    from oneiric.cli.new import new
    from oneiric.testing.conformance.command import conformance

    app.command("new")(new)
    app.command("conformance")(conformance)
