"""The `mahavishnu` command."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from oneiric.errors import OneiricError
from pydantic import ValidationError

from mahavishnu.app import MahavishnuApp


def main() -> None:
    """Do what the arguments say; the settings are `MahavishnuSettings`."""
    arguments = _parser().parse_args()
    run = _sweep(arguments.id, arguments.timeout) if arguments.command == "sweep" else _adapters()
    try:
        answer, is_right = asyncio.run(run)
    except ValidationError as error:
        sys.exit("\n".join(["Error: the settings are wrong.", *map(_problem, error.errors(include_input=False))]))
    except OneiricError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(json.dumps(answer, indent=2))
    sys.exit(0 if is_right else 1)


async def _adapters() -> tuple[object, bool]:
    async with MahavishnuApp() as app:
        known, health = app.known, await app.health()
        shown = {
            "known": str(known),
            "is_stale": known.is_stale,
            "adapters": {adapter.name: adapter.status for adapter in known.snapshot.adapters},
            "health": health,
        }
        return shown, all(health.values())


async def _sweep(sweep_id: str | None, timeout: float) -> tuple[object, bool]:
    async with MahavishnuApp() as app:
        report = await app.sweep(sweep_id, timeout=timeout)
        shown = {
            "sweep": report.sweep_id,
            "known": str(app.known),
            "totals": report.totals,
            "results": report.results,
            "failures": report.failures,
        }
        return shown, not report.failures


def _problem(error: object) -> str:
    assert isinstance(error, dict)
    path = ".".join(map(str, error["loc"]))
    return f"  - `{path}`: {error['msg']}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mahavishnu", description="Sweep over repositories.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("adapters", help="what the MCP server has said, and whether the adapters work")
    sweep = commands.add_parser("sweep", help="count every repository by a task of the workers")
    sweep.add_argument("--id", help="the id of a sweep, to go on with one that was cut off")
    sweep.add_argument("--timeout", type=float, default=300.0, help="seconds that it may take (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
