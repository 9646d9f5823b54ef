"""The `oneiric-mcp` command.

Argparse, and not Typer as the `oneiric` command: an MCP client waits for this process to start.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.diagnostics import refuse_for_good
from oneiric.errors import OneiricError

from oneiric_mcp import http, stdio
from oneiric_mcp.audit import AuditLog
from oneiric_mcp.auth.token_file import default_path
from oneiric_mcp.installation import Installation
from oneiric_mcp.options import JWT_ALGORITHMS, Options
from oneiric_mcp.server import build_server

if TYPE_CHECKING:
    from oneiric_mcp.auth.bearer import Bearer

PORT = 8679


def main() -> None:
    """Serve MCP over stdio, or with `--http` over HTTP, until the client leaves or a signal comes."""
    arguments = _parser().parse_args()
    options = _options(arguments)
    _log_audit()
    try:
        options.check()
        installation = Installation(options.config)
        server = build_server(
            installation,
            auth=_auth(options),
            allow_writes=options.allow_writes,
            allowed_hosts=options.allowed_hosts,
            audit=AuditLog(options.audit),
        )
        refuse_for_good()  # whatever config a client sets and initialises
        if options.http:
            asyncio.run(http.serve(server, installation, arguments.host, arguments.port, options))
        else:
            sys.exit(asyncio.run(stdio.serve(server)))
    except OneiricError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _auth(options: Options) -> Bearer | None:
    if not options.has_auth:
        return None
    # Imported here: what checks signatures takes a while to load, and most servers are started without it, over stdio.
    from oneiric_mcp.auth.bearer import Bearer

    return Bearer.from_options(options)


def _log_audit() -> None:
    """Have the audit lines on stderr, each as it is."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("oneiric.audit")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        http=arguments.http,
        config=arguments.config,
        allow_writes=arguments.allow_writes,
        allowed_hosts=tuple(arguments.allow_host),
        audit=arguments.audit,
        tokens=arguments.tokens,
        jwt_key=arguments.jwt_key,
        jwt_jwks=arguments.jwt_jwks,
        jwt_issuer=arguments.jwt_issuer,
        jwt_audience=arguments.jwt_audience,
        jwt_algorithm=arguments.jwt_algorithm,
        public_hosts=tuple(arguments.public_host),
        origins=tuple(arguments.allow_origin),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oneiric-mcp", description="Show the installed Oneiric adapters over MCP.", allow_abbrev=False
    )
    parser.add_argument("--config", metavar="FILE", help="the config file (default: as for `oneiric`)")
    parser.add_argument(
        "--allow-writes",
        action="store_true",
        help="offer the tool that changes the config; over HTTP, only with tokens",
    )
    parser.add_argument(
        "--allow-host",
        metavar="HOST",
        action="append",
        default=[],
        help="a host that connection tests may reach with another config than the stored one; repeatable",
    )
    parser.add_argument(
        "--audit", metavar="FILE", type=Path, help="append the audit log to this file too, not to stderr alone"
    )
    parser.add_argument("--version", action="version", version=f"oneiric-mcp {version('oneiric-mcp')}")
    _add_http(parser.add_argument_group("over HTTP"))
    _add_auth(parser.add_argument_group("who may call it over HTTP"))
    return parser


def _add_http(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--http", action="store_true", help="serve over HTTP instead of stdio")
    group.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; not a loopback one only with tokens (default: %(default)s)",
    )
    group.add_argument(
        "--port", type=int, default=PORT, help=f"the port of http://HOST:PORT{http.PATH} (default: %(default)s)"
    )
    group.add_argument(
        "--public-host", metavar="NAME", action="append", default=[], help="a name that clients reach it by; repeatable"
    )
    group.add_argument(
        "--allow-origin",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="a site whose pages may call it; repeatable",
    )


def _add_auth(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--tokens",
        metavar="FILE",
        type=Path,
        nargs="?",
        const=default_path(),
        help="accept the tokens of `oneiric tokens` (default: the file that it writes by default)",
    )
    group.add_argument("--jwt-key", metavar="FILE", type=Path, help="accept JWTs signed by this public key, a PEM file")
    group.add_argument("--jwt-jwks", metavar="URL", help="accept JWTs signed by a key of this key set")
    group.add_argument("--jwt-issuer", metavar="NAME", help="the issuer that a JWT must name")
    group.add_argument("--jwt-audience", metavar="NAME", help="the audience that a JWT must name")
    group.add_argument(
        "--jwt-algorithm",
        metavar="NAME",
        choices=JWT_ALGORITHMS,
        default="RS256",
        help="how JWTs are signed: " + ", ".join(JWT_ALGORITHMS) + " (default: %(default)s)",
    )


if __name__ == "__main__":
    main()
