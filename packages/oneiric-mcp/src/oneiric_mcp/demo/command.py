"""`oneiric demo`."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from oneiric.cli.output import JsonOption, console, print_json, print_table
from oneiric.discovery import discover

if TYPE_CHECKING:
    from oneiric_mcp.demo.steps import Step

_DEADLINE = 300.0
"""Seconds that the whole demo may take."""


def demo(json: JsonOption = False) -> None:
    """Start the MCP server, and take each installed adapter through its life on real data. Exit code 1 if one fails."""
    # A folder of its own: the adapters' example configs name relative files, and nothing is to be left behind.
    with tempfile.TemporaryDirectory(prefix="oneiric-demo-") as folder, chdir(folder):
        steps = asyncio.run(_run(Path(folder), is_quiet=json))
    passed = bool(steps) and all(step.ok for step in steps)
    if json:
        print_json({"ok": passed, "steps": [asdict(step) for step in steps]})
    else:
        _print(steps)
    if not passed:
        raise typer.Exit(1)


async def _run(folder: Path, *, is_quiet: bool) -> list[Step]:
    # Imported here, as FastMCP takes a second and `oneiric` imports this module to register the command.
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    from oneiric_mcp.demo.steps import Step, discover_adapters, walk

    catalog = discover()
    transport = StdioTransport(
        sys.executable,
        ["-m", "oneiric_mcp"],
        env=dict(os.environ),
        cwd=str(folder),
        keep_alive=False,  # otherwise the child outlives an error in here, and the end of the process waits for it
    )
    steps = [
        Step(plugin.name, "load the plugin", False, plugin.reason or plugin.status, 0.0) for plugin in catalog.troubled
    ]
    with console.status("Starting the MCP server over stdio …") as status:
        async with asyncio.timeout(_DEADLINE), Client(transport) as client:
            if not is_quiet:
                console.print(f"A client of the {client.server_info.name} MCP server, over stdio", end="")
                console.print(f" (protocol {client.protocol_version}).")
            for adapter in await discover_adapters(client):
                async for step in walk(client, catalog, adapter):
                    steps.append(step)
                    status.update(f"{step.adapter}: {step.step}: {step.detail[:60]}")
                    if not is_quiet and not console.is_terminal:
                        console.print(f"{step.adapter}: {step.step} ({step.ms:.0f} ms)", markup=False)
    return steps


def _print(steps: list[Step]) -> None:
    print_table(
        "Each installed adapter, through the MCP server and in use",
        ("adapter", "step", "", "what came of it", "ms"),
        ((s.adapter, s.step, "ok" if s.ok else "failed", s.detail, f"{s.ms:.0f}") for s in steps),
    )
    if not steps:
        console.print("No adapter is installed. Install one: pip install oneiric-sqlite")
