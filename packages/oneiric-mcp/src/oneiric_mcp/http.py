"""The server over HTTP: on this machine only, guarded against other sites' pages, and told to the person who starts it."""

from __future__ import annotations

import json
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from oneiric.errors import OneiricError
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from oneiric_mcp.installation import Installation

PATH = "/mcp"


class BindRefused(OneiricError, OSError):
    """The server can't, or must not, listen on that address."""


async def serve(server: FastMCP, installation: Installation, host: str, port: int) -> None:
    """Listen on `host` and `port` (0 picks a free one), print where and what, and serve until cancelled or SIGTERM.

    Raises BindRefused for an address that other machines reach, and for one that is taken.
    """
    listening = listen(host, port)
    with listening:
        address = listening.getsockname()
        url_host = f"[{address[0]}]" if ":" in address[0] else address[0]
        print_welcome(installation, f"http://{url_host}:{address[1]}{PATH}")
        await server.run_http_async(
            show_banner=False,
            host=host,
            port=address[1],
            path=PATH,
            sockets=[listening],
            host_origin_protection=True,
            log_level="warning",
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on a loopback address."""
    if not _is_loopback(host):
        raise BindRefused(
            f"Not listening on {host}: other machines could reach it, and this server has no authentication.",
            hint="Use 127.0.0.1 and, for access from elsewhere, a proxy on this machine that authenticates.",
        )
    if not 0 <= port <= 65535:
        raise BindRefused(f"{port} is not a port: they go from 0 to 65535.", hint="Choose another with --port.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With its protocol number: without it asyncio leaves Nagle's algorithm on, and each answer waits 40 ms.
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BindRefused(f"{host} is not an address of this machine: {error.strerror}.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        hint = "Choose another with --port."
        raise BindRefused(f"Can't listen on {host}:{port}: {error.strerror}.", hint=hint) from error
    return listening


def _is_loopback(host: str) -> bool:
    """Whether the host is this machine, by its name alone: a name that resolves here today may not tomorrow."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def print_welcome(installation: Installation, url: str) -> None:
    """Print what is installed, and what to paste into an MCP client's config."""
    console = Console(highlight=False)
    table = Table(title="Installed adapters", title_justify="left", title_style="bold", header_style="bold")
    for column in ("name", "type", "status", "summary"):
        table.add_column(column, overflow="fold")
    for adapter in installation.summaries():
        style = "red" if adapter.error else "green"
        table.add_row(adapter.name, adapter.type, Text(adapter.status, style), Text(adapter.error or adapter.summary))
    console.print(table)
    for plugin in installation.catalog.troubled:
        console.print(
            f"! The plugin {plugin.name} ({plugin.distribution}) is {plugin.status}: {plugin.reason}", markup=False
        )
    if installation.config_error:
        console.print(f"! {installation.config_error}", markup=False)
    sentence = f"\nServing MCP on {url} (Ctrl-C stops it). For an MCP client's config:\n"
    console.print(sentence, markup=False, soft_wrap=True)  # a URL that is broken in two can't be used
    console.print_json(json.dumps({"mcpServers": {"oneiric": {"type": "http", "url": url}}}))
    console.file.flush()
