"""docs/mcp.md: what each snippet for a client starts or reaches has the tools that the page lists."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from walkthrough import BLOCK, check

PAGE = (Path(__file__).parent.parent.parent / "docs" / "mcp.md").read_text(encoding="utf-8")
JSON = [
    block["text"] for block in BLOCK.finditer(PAGE) if block["language"] == "json" and '"time"' not in block["text"]
]
SERVERS = [next(iter((found.get("mcpServers") or found["servers"]).values())) for found in map(json.loads, JSON)]
TOOLS = set(re.findall(r"^\| `(\w+)` \| `", PAGE, re.MULTILINE)) - {"set_adapter_config"}


def test_the_page_has_snippets_of_each_kind() -> None:
    assert [sorted(server) for server in SERVERS] == [
        ["args", "command"],
        ["args", "command", "type"],
        ["type", "url"],
        ["headers", "type", "url"],
    ]
    assert len(TOOLS) == 8


async def test_what_a_client_starts_has_its_tools(folder: Path, environment: dict[str, str]) -> None:
    desktop, code, *_ = SERVERS
    assert code == {"type": "stdio", **desktop}
    (folder / "oneiric.yaml").write_text("adapters:\n  sqlite:\n    path: ':memory:'\n")

    def here(text: str) -> str:
        bin_folder = str(Path(sys.executable).parent)
        return text.replace("/home/you/app/.venv/bin", bin_folder).replace("/home/you/app", str(folder))

    bare = {"HOME": environment["HOME"], "PATH": "/usr/bin:/bin"}  # as a desktop starts it: elsewhere, with little
    arguments = [here(argument) for argument in desktop["args"]]
    transport = StdioTransport(here(desktop["command"]), arguments, env=bare, cwd="/", keep_alive=False)
    async with Client(transport) as client:
        assert {tool.name for tool in await client.list_tools()} == TOOLS
        config = (await client.call_tool("get_adapter_config", {"adapter_name": "sqlite"})).structured_content
        assert config["problems"] == []


async def test_a_url_reaches_the_server(folder: Path, environment: dict[str, str]) -> None:
    *_, plain, with_token = SERVERS  # tests/test_mcp.py shows a token
    assert {key: value for key, value in with_token.items() if key != "headers"} == plain
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).parent / "oneiric-mcp", "--http", "--port", "0"),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        async with asyncio.timeout(60):
            while not (found := re.search(r"Serving MCP on (\S+)", (await process.stdout.readline()).decode())):
                assert process.returncode is None
        port = found[1].partition("127.0.0.1:")[2].partition("/")[0]
        url = plain["url"].replace("8679", port)
        assert url == found[1]
        async with Client(StreamableHttpTransport(url)) as client:
            assert {tool.name for tool in await client.list_tools()} == TOOLS
    finally:
        process.terminate()
        await process.communicate()


def test_the_program_sees_what_the_page_says(folder: Path, environment: dict[str, str]) -> None:
    check(PAGE, folder, environment)
