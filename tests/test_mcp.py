"""The MCP server with a real adapter, as docs/mcp.md says it is used."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

DOCS = (Path(__file__).parent.parent / "docs" / "mcp.md").read_text(encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "COLUMNS": "200"}


def run(line: str, folder: Path) -> str:
    done = subprocess.run(
        line.split(), cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


async def test_the_commands_of_the_docs_make_tokens_and_a_server_that_knows_them(tmp_path: Path) -> None:
    match = re.search(r"<!-- tokens -->\n```\n(.*?)```", DOCS, re.DOTALL)
    assert match
    *makers, server = match[1].splitlines()
    dashboard, deploy, listed = (run(line, tmp_path) for line in makers)
    assert "dashboard" in listed
    process = await asyncio.create_subprocess_exec(
        *server.split(), "--port", "0", cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE
    )
    try:
        url = await address(process)
        counts = []
        for token in (dashboard, deploy):
            transport = StreamableHttpTransport(url, headers={"Authorization": f"Bearer {token}"})
            async with Client(transport) as client:
                counts.append(len(await client.list_tools()))
        assert counts == [4, 9]
    finally:
        process.terminate()
        await process.communicate()


async def test_the_application_of_the_docs_takes_its_adapter_from_the_server(tmp_path: Path) -> None:
    match = re.search(r"<!-- client -->\n```python\n(.*?)```", DOCS, re.DOTALL)
    assert match
    (tmp_path / "oneiric.yaml").write_text("adapters: {orders: {adapter: sqlite, path: orders.db}}", encoding="utf-8")
    server = await asyncio.create_subprocess_exec(
        *("oneiric-mcp", "--http", "--port", "0"), cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE
    )
    try:
        url = await address(server)
        application = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", match[1], url), cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE
        )
        output, _ = await application.communicate()
        assert output.decode().splitlines() == [
            "postgres available",
            "sqlite configured",
            "oneiric_sqlite.adapter:SqliteAdapter",
            "`readrs` is not a setting. Did you mean `readers`?",
            "True",
            "42",
        ]
    finally:
        server.terminate()
        await server.communicate()


async def address(server: asyncio.subprocess.Process) -> str:
    """Where a server listens, once it does."""
    assert server.stdout
    async with asyncio.timeout(60):
        while not (found := re.search(rb"Serving MCP on (\S+)", await server.stdout.readline())):
            pass
    return found[1].decode()


async def test_the_life_of_a_database_over_stdio(tmp_path: Path) -> None:
    transport = StdioTransport(
        sys.executable,
        ["-m", "oneiric_mcp", "--allow-writes", "--audit", "audit.log"],
        env=environment(tmp_path),
        cwd=str(tmp_path),
        keep_alive=False,
    )

    async with Client(transport) as client:

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            answer = await client.call_tool(tool, {"adapter_name": "orders", **arguments})
            content: dict[str, Any] = answer.structured_content
            return content

        config = {"adapter": "sqlite", "path": "orders.db"}
        plan = await call("set_adapter_config", config=config)
        assert (await call("set_adapter_config", config=config, plan_hash=plan["plan_hash"]))["applied"]
        assert (await call("get_adapter_config"))["problems"] == []
        tested = await call("test_adapter_connection")
        assert tested["success"], tested
        assert (await call("initialize_adapter"))["state"] == "ready"
        assert (await call("check_adapter_health"))["healthy"]
        (content,) = await client.read_resource("adapters://sqlite")
        assert json.loads(content.text)["states"] == {"orders": "ready"}
        assert (await call("cleanup_adapter"))["state"] == "stopped"
    lines = [json.loads(line) for line in (tmp_path / "audit.log").read_text(encoding="ascii").splitlines()]
    assert [line["outcome"] for line in lines[1::2]] == ["done"] * 6
    assert {line["principal"] for line in lines} == {"stdio"}
