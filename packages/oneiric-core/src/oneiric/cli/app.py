"""The `oneiric` command: core's own commands, and those that plugins add."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from io import TextIOWrapper

import typer

from oneiric.cli import catalog, config, configuration, diagnostics, validation
from oneiric.cli.commands import Commands
from oneiric.cli.output import errors, keep_answers_clean, print_json
from oneiric.discovery import Catalog, discover
from oneiric.errors import ConfigError, OneiricError
from oneiric.masking import without_passwords


def main() -> None:
    """Run the command line. An error of ours is one sentence and exit code 1; with `--json` it is JSON on stdout."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that can't show a sign is no reason to fail
    if "--json" in sys.argv:
        keep_answers_clean()
    try:
        build(discover())(prog_name="oneiric", windows_expand_args=False)
    except OneiricError as error:
        if "--json" in sys.argv:
            print_json({"error": _as_json(error)})
        else:
            errors.print(f"Error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:  # `oneiric list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def build(found: Catalog) -> typer.Typer:
    """The command line with the commands of the plugins in `found`; one that fails to add its own is left out and said."""
    app = typer.Typer(
        name="oneiric",
        cls=Commands,
        help="List, explain, validate and run the adapters that are installed.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # its tracebacks show local variables, and those may hold secrets
    )
    app.command("list")(catalog.list_adapters)
    app.command("info")(catalog.info)
    app.command("plugins")(catalog.plugins)
    app.command("validate")(validation.validate_config)
    app.command("explain")(configuration.explain_instance)
    app.command("test")(diagnostics.connection)
    app.command("health")(diagnostics.health)
    app.command("doctor")(diagnostics.doctor)
    app.add_typer(config.app, name="config")
    for implementation in found.hooks.hook.oneiric_register_commands.get_hookimpls() if found.hooks else ():
        try:
            with redirect_stdout(sys.stderr):  # what it prints is no part of a JSON answer
                implementation.function(app)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's commands must not keep us from ours
            reason = without_passwords(f"{type(error).__name__}: {error}")
            errors.print(
                f"The plugin {implementation.plugin_name} adds no commands: {reason}", markup=False, soft_wrap=True
            )
    return app


def _as_json(error: OneiricError) -> dict[str, object]:
    problems = [
        {"path": problem.path, "message": problem.message, "suggestion": problem.suggestion}
        for problem in (error.problems if isinstance(error, ConfigError) else ())
    ]
    return {"type": type(error).__name__, "message": error.message, "hint": error.hint, "problems": problems}
