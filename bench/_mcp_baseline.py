"""What the MCP server is measured against: a server of FastMCP's with one tool, and nothing of ours.

As a program it serves a list of cards over HTTP (`_mcp_baseline.py http FILE`), or an addition over stdio (`… stdio`).
"""

# No `from __future__ import annotations`: FastMCP makes each tool's schemas from its annotations.
import asyncio
import socket
import sys
from pathlib import Path
from typing import Any, Literal

from fastmcp import FastMCP
from pydantic import BaseModel, TypeAdapter

TOOL = "list_adapters"


class Card(BaseModel):
    """A model of the shape of an AdapterSummary, so that both servers check, serialise and describe the same."""

    name: str
    type: str
    status: Literal["available", "configured", "error"]
    summary: str
    capabilities: list[str]
    settings_schema: dict[str, Any]
    error: str | None = None


CARDS = TypeAdapter(list[Card])


def card_server(cards: list[Card]) -> FastMCP:
    """A server whose one tool gives the cards as they are: no middleware, no lookup, nothing to decide."""
    server = FastMCP("bare")

    @server.tool(name=TOOL)
    async def give(adapter_type: str | None = None) -> list[Card]:  # noqa: ARG001 - as many arguments as ours
        """Give the cards."""
        return cards

    return server


def adding_server() -> FastMCP:
    """The server of FastMCP's own first example."""
    server = FastMCP("bare")

    @server.tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    return server


def main() -> None:
    """Serve until the client leaves or a signal comes."""
    if sys.argv[1] == "stdio":
        asyncio.run(adding_server().run_stdio_async(show_banner=False, log_level="warning"))
        return
    server = card_server(CARDS.validate_json(Path(sys.argv[2]).read_bytes()))
    # With the protocol's number: without it asyncio leaves Nagle's algorithm on, and each answer waits for 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        print(f"Serving MCP on http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)
        asyncio.run(server.run_http_async(show_banner=False, sockets=[listening], path="/mcp", log_level="warning"))


if __name__ == "__main__":
    main()
