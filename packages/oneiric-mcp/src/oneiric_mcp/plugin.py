"""What oneiric-mcp adds to the `oneiric` command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.hookspecs import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def oneiric_register_commands(app: typer.Typer) -> None:
    """Add `oneiric demo` and `oneiric tokens`."""
    from oneiric_mcp.auth.command import tokens
    from oneiric_mcp.demo.command import demo

    app.command("demo")(demo)
    app.add_typer(tokens, name="tokens")
