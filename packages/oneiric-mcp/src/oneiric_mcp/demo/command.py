"""`oneiric demo`."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from oneiric.cli.output import JsonOption, console, print_json, print_table
from oneiric.discovery import discover

from oneiric_mcp.demo.apps import installed_apps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric.discovery import Catalog
    from rich.status import Status

    from oneiric_mcp.demo.steps import Step

_DEADLINE = 300.0
"""Seconds that the whole demo may take."""


def demo(
    app: Annotated[str | None, typer.Option(metavar="NAME", help="Run this application's demo instead.")] = None,
    json: JsonOption = False,
) -> None:
    """Start the MCP server, and take each installed adapter through its life on real data. Exit code 1 if one fails.

    With `--app`, run one of the installed applications on embedded servers and processes of its own.
    """
    # A folder of its own: the adapters' example configs name relative files, and nothing is to be left behind.
    with tempfile.TemporaryDirectory(prefix="oneiric-demo-") as folder, chdir(folder):
        steps = asyncio.run(_run(app, Path(folder), is_quiet=json))
    passed = bool(steps) and all(step.ok for step in steps)
    if json:
        print_json({"ok": passed, "steps": [asdict(step) for step in steps]})
    else:
        _print(app, steps)
    if not passed:
        raise typer.Exit(1)


async def _run(app: str | None, folder: Path, *, is_quiet: bool) -> list[Step]:
    catalog = discover()
    steps: list[Step] = []
    with console.status(f"Starting {app or 'the MCP server over stdio'} …") as status:
        async with asyncio.timeout(_DEADLINE):
            async for step in _app_steps(catalog, app, folder) if app else _adapter_steps(catalog, folder, is_quiet):
                steps.append(step)
                _tell(step, status, is_quiet=is_quiet)
    return steps


def _tell(step: Step, status: Status, *, is_quiet: bool) -> None:
    status.update(f"{step.adapter}: {step.step}: {step.detail[:60]}")
    if not is_quiet and not console.is_terminal:
        console.print(f"{step.adapter}: {step.step} ({step.ms:.0f} ms)", markup=False)


async def _app_steps(catalog: Catalog, app: str, folder: Path) -> AsyncIterator[Step]:
    from oneiric_mcp.demo.running import run_app

    async for step in run_app(catalog, app, folder):
        yield step


async def _adapter_steps(catalog: Catalog, folder: Path, is_quiet: bool) -> AsyncIterator[Step]:
    # Imported here, as FastMCP takes a second and `oneiric` imports this module to register the command.
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    from oneiric_mcp.demo.steps import Step, discover_adapters, walk

    transport = StdioTransport(
        sys.executable,
        ["-m", "oneiric_mcp"],
        env=dict(os.environ),
        cwd=str(folder),
        keep_alive=False,  # otherwise the child outlives an error in here, and the end of the process waits for it
    )
    for plugin in catalog.troubled:
        yield Step(plugin.name, "load the plugin", False, plugin.reason or plugin.status, 0.0)
    async with Client(transport) as client:
        if not is_quiet:
            console.print(f"A client of the {client.server_info.name} MCP server, over stdio", end="")
            console.print(f" (protocol {client.protocol_version}).")
        for adapter in await discover_adapters(client):
            async for step in walk(client, catalog, adapter):
                yield step


def _print(app: str | None, steps: list[Step]) -> None:
    print_table(
        f"The application {app}" if app else "Each installed adapter, through the MCP server and in use",
        ("application" if app else "adapter", "step", "", "what came of it", "ms"),
        ((s.adapter, s.step, "ok" if s.ok else "failed", s.detail, f"{s.ms:.0f}") for s in steps),
    )
    if not steps:
        console.print("No adapter is installed. Install one: pip install oneiric-sqlite")
    apps = ", ".join(sorted(installed_apps(discover()))) if app is None else ""
    if apps:
        console.print(f"Applications: {apps}. Run one: oneiric demo --app NAME", markup=False)
