"""The `oneiric-mcp` command.

Argparse, and not Typer as the `oneiric` command: an MCP client waits for this process to start, and it has three options.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from importlib.metadata import version

from oneiric.errors import OneiricError

from oneiric_mcp import http, stdio
from oneiric_mcp.installation import Installation
from oneiric_mcp.server import build_server

PORT = 8679


def main() -> None:
    """Serve MCP over stdio, or with `--http` over HTTP, until the client leaves or a signal comes."""
    options = _parser().parse_args()
    installation = Installation(options.config)
    server = build_server(installation)
    try:
        if options.http:
            asyncio.run(http.serve(server, installation, options.host, options.port))
        else:
            sys.exit(asyncio.run(stdio.serve(server)))
    except OneiricError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="oneiric-mcp", description="Show the installed Oneiric adapters over MCP.")
    parser.add_argument("--http", action="store_true", help="serve over HTTP instead of stdio")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"the port of http://HOST:PORT{http.PATH} (default: %(default)s)"
    )
    parser.add_argument("--config", metavar="FILE", help="the config file (default: as for `oneiric`)")
    parser.add_argument("--version", action="version", version=f"oneiric-mcp {version('oneiric-mcp')}")
    return parser


if __name__ == "__main__":
    main()
