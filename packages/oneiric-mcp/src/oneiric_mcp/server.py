"""The server: FastMCP with Oneiric's tools and resources."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastmcp import FastMCP
from starlette.responses import JSONResponse

from oneiric_mcp.argument_errors import ArgumentErrors
from oneiric_mcp.audit import Audit, AuditLog
from oneiric_mcp.installation import Installation
from oneiric_mcp.lifecycle import Instances
from oneiric_mcp.resources import add_resources
from oneiric_mcp.subscriptions import Subscriptions
from oneiric_mcp.tools.configuration import add_configuration_tools, add_writing_tools
from oneiric_mcp.tools.connection import add_connection_tools
from oneiric_mcp.tools.discovery import add_discovery_tools
from oneiric_mcp.tools.lifecycle import add_lifecycle_tools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from starlette.requests import Request

    from oneiric_mcp.auth.bearer import Bearer

_INSTRUCTIONS = """\
Oneiric gives an application its database, vector index, task queue and message bus by adapters, each a pip package.
list_adapters says which are installed here, get_adapter_info explains one, and validate_adapter_config checks a config
before anybody uses it. get_adapter_config shows the config of an instance, secrets masked."""


def build_server(
    installation: Installation | None = None,
    *,
    auth: Bearer | None = None,
    allow_writes: bool = False,
    allowed_hosts: Collection[str] = (),
    audit: AuditLog | None = None,
) -> FastMCP:
    """The server for what is installed here; it starts whatever is broken, as it looks at nothing before it is asked.

    With `auth`, callers over HTTP need a token, and see only the tools that it has the scope for; who serves a server that
    writes over HTTP must give one. `allowed_hosts`
    are those that test_adapter_connection may reach with a config that is not the stored one.
    """
    shown = Installation() if installation is None else installation
    subscriptions = Subscriptions(shown, auth)
    instances = Instances(shown, subscriptions.changed)

    @asynccontextmanager
    async def lifespan(_: FastMCP) -> AsyncIterator[None]:
        async with instances.closing():
            yield

    server = FastMCP(
        "oneiric",
        instructions=_INSTRUCTIONS,
        version=version("oneiric-mcp"),
        middleware=[Audit(audit or AuditLog()), ArgumentErrors()],
        auth=auth,
        lifespan=lifespan,
        mask_error_details=True,
    )
    add_discovery_tools(server, shown)
    add_configuration_tools(server, shown, instances)
    if allow_writes:
        add_writing_tools(server, shown, instances, subscriptions, auth)
    add_connection_tools(server, shown, frozenset(allowed_hosts), auth)
    add_lifecycle_tools(server, shown, instances, auth)
    add_resources(server, shown, instances)
    subscriptions.add_to(server)

    @server.custom_route("/health", methods=["GET"])
    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return server
