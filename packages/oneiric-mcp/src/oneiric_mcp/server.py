"""The server: FastMCP with Oneiric's tools and resources."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastmcp import FastMCP
from starlette.responses import JSONResponse

from oneiric_mcp.argument_errors import ArgumentErrors
from oneiric_mcp.audit import Audit, AuditLog
from oneiric_mcp.debug_logs import keep_messages_out
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

    from fastmcp.server.auth import AuthProvider
    from starlette.requests import Request

_INSTRUCTIONS = """\
Oneiric gives an application its database, vector index, task queue and message bus by adapters, each a pip package.
list_adapters says which are installed here, get_adapter_info explains one, and validate_adapter_config checks a config
before anybody uses it. get_adapter_config shows the config of an instance, secrets masked."""


class OneiricServer(FastMCP[None]):
    """FastMCP, with what has to end before the transport does: it waits for calls and streams, and not for ever."""

    def __init__(self, installation: Installation, auth: AuthProvider | None, audit: AuditLog) -> None:
        self.subscriptions = Subscriptions(installation, auth)
        self.instances = Instances(installation, self.subscriptions.changed)
        super().__init__(
            "oneiric",
            instructions=_INSTRUCTIONS,
            version=version("oneiric-mcp"),
            middleware=[ArgumentErrors(), Audit(audit)],
            auth=auth,
            lifespan=_lifespan,
            mask_error_details=True,
        )

    async def stop(self) -> None:
        """End what is being initialised and the streams of subscribers, and clean all adapters up."""
        self.subscriptions.close()
        await self.instances.stop()


@asynccontextmanager
async def _lifespan(server: FastMCP[None]) -> AsyncIterator[None]:
    assert isinstance(server, OneiricServer)
    server.instances.open()
    try:
        yield
    finally:
        await server.stop()


def build_server(
    installation: Installation | None = None,
    *,
    auth: AuthProvider | None = None,
    allow_writes: bool = False,
    allowed_hosts: Collection[str] = (),
    audit: AuditLog | None = None,
) -> OneiricServer:
    """The server for what is installed here; it starts whatever is broken, as it looks at nothing before it is asked.

    With `auth`, callers over HTTP need a token, and see only the tools that it has the scope for; who serves a server that
    writes over HTTP must give one. `allowed_hosts` are those that test_adapter_connection may reach with a config that is
    not the stored one.
    """
    keep_messages_out()
    shown = Installation() if installation is None else installation
    server = OneiricServer(shown, auth, audit or AuditLog())
    instances, subscriptions = server.instances, server.subscriptions
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
