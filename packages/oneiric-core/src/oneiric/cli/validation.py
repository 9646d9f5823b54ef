"""`validate`: is this config right for that adapter?"""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from oneiric.cli.output import JsonOption, console, print_json
from oneiric.discovery import discover
from oneiric.errors import ConfigError
from oneiric.inspection import validate
from oneiric.validation import MAX_SIZE

_MAX_CHARACTERS = 4 * MAX_SIZE
"""How much JSON is read at all; what it may hold is limited more tightly, by validation."""


def validate_config(
    name: Annotated[str, typer.Argument(help="The adapter's name.")],
    config: Annotated[
        str, typer.Option("--config", help="The config as JSON, or @FILE with JSON in it (@- is stdin).")
    ],
    json: JsonOption = False,
) -> None:
    """Check a config against an adapter's settings. Opens nothing; exit code 1 where the config is wrong."""
    catalog = discover()
    spec = catalog[name]
    result = validate(spec, catalog, given_config(config))
    if json:
        print_json(result)
    else:
        for problem in result.errors:
            console.print(f"✗ {problem}", style="red", markup=False, soft_wrap=True)
        for warning in result.warnings:
            console.print(f"! {warning}", style="yellow", markup=False, soft_wrap=True)
        if result.valid:
            console.print(f"✓ The config is right for {name}.", style="green", markup=False, soft_wrap=True)
    if not result.valid:
        raise typer.Exit(1)


def given_config(config: str) -> Any:
    """The config that an option holds as JSON, or names as `@FILE`. Raises ConfigError."""
    return _parse(_read(config))


def _read(config: str) -> str:
    if not config.startswith("@"):
        return config
    try:
        if config == "@-":
            return sys.stdin.read(_MAX_CHARACTERS + 1) if sys.stdin else ""
        with Path(config[1:]).open(encoding="utf-8") as file:
            return file.read(_MAX_CHARACTERS + 1)
    except OSError as error:
        raise ConfigError(f"{config[1:]} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{config[1:]} can't be read: it is not UTF-8 text.") from error


def _parse(text: str) -> Any:
    if len(text) > _MAX_CHARACTERS:
        raise ConfigError(f"The config is larger than {_MAX_CHARACTERS // 1024} KiB, too large for one.")
    try:
        return jsonlib.loads(text)
    except jsonlib.JSONDecodeError as error:
        raise ConfigError(
            f"The config is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            hint="Give a JSON object in quotes, or @FILE.",
        ) from error
    except (RecursionError, ValueError) as error:
        raise ConfigError(
            "The config is not JSON that can be read: it is nested too deeply or holds a huge number."
        ) from error
