"""The server over HTTP: guarded against other sites' pages, for this machine only unless callers say who they are."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING

import uvicorn
from oneiric.errors import OneiricError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from starlette.middleware import Middleware

from oneiric_mcp.loopback import is_loopback
from oneiric_mcp.message_errors import MessageErrors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oneiric_mcp.installation import Installation
    from oneiric_mcp.options import Options
    from oneiric_mcp.server import OneiricServer

PATH = "/mcp"


class BindRefused(OneiricError, OSError):
    """The server can't, or must not, listen on that address."""


async def serve(server: OneiricServer, installation: Installation, host: str, port: int, options: Options) -> None:
    """Listen on `host` and `port` (0 picks a free one), print where and what, and serve until cancelled or a signal comes.

    Raises BindRefused for an address that is taken, and for one that other machines reach where callers need not say who
    they are.
    """
    listening = listen(host, port, for_others=options.has_auth)
    with listening:
        address = listening.getsockname()
        name = options.public_hosts[0] if options.public_hosts else address[0]
        url_host = f"[{name}]" if ":" in name and not name.startswith("[") else name
        print_welcome(installation, f"http://{url_host}:{address[1]}{PATH}", needs_token=options.has_auth)
        if not is_loopback(host):
            print_warning(
                "Other machines can reach this, and it does not encrypt: put a proxy with TLS in front of it."
            )
        app = server.http_app(
            path=PATH,
            middleware=[Middleware(MessageErrors)],
            host_origin_protection=True,
            allowed_hosts=list(options.public_hosts),
            allowed_origins=list(options.origins),
        )
        # Not `run_http_async`, which begins the server's life around uvicorn's: uvicorn gives a SIGTERM on once it has shut
        # down, the process ends there, and nothing of that life is ended. So it begins and ends within uvicorn's.
        config = uvicorn.Config(
            app, host=host, port=address[1], lifespan="on", log_level="warning", timeout_graceful_shutdown=2, ws="none"
        )
        await _Server(config, server.stop).serve(sockets=[listening])


class _Server(uvicorn.Server):
    """Uvicorn, which before it waits for the requests that are under way lets the server end what would keep them so."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._stop = stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and end; at once where a second SIGINT comes."""
        stopping = asyncio.ensure_future(self._stop())
        while not self.force_exit and not stopping.done():
            await asyncio.wait({stopping}, timeout=0.1)
        await super().shutdown(sockets)


def listen(host: str, port: int, *, for_others: bool = False) -> socket.socket:
    """A socket that listens on an address: a loopback one, unless it is meant for other machines too."""
    if not for_others and not is_loopback(host):
        raise BindRefused(
            f"Not listening on {host}: other machines could reach it, and nobody would need to say who he is.",
            hint="Use 127.0.0.1, or add --tokens or --jwt-key.",
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


def print_welcome(installation: Installation, url: str, *, needs_token: bool = False) -> None:
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
    entry: dict[str, object] = {"type": "http", "url": url}
    if needs_token:
        entry["headers"] = {"Authorization": "Bearer YOUR-TOKEN"}
    console.print_json(json.dumps({"mcpServers": {"oneiric": entry}}))
    console.file.flush()


def print_warning(sentence: str) -> None:
    """Print what whoever starts the server should know."""
    console = Console(highlight=False)
    console.print(f"! {sentence}", markup=False, soft_wrap=True)
    console.file.flush()
