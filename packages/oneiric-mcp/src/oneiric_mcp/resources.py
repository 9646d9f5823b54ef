"""The resources: `adapters://` (everything installed) and `adapters://{adapter_name}` (one adapter)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fastmcp.server.middleware import Middleware
from mcp import MCPError
from mcp_types import INVALID_PARAMS
from oneiric.errors import UnknownAdapter
from oneiric.inspection import AdapterSummary
from pydantic import BaseModel

if TYPE_CHECKING:
    from fastmcp import FastMCP
    from fastmcp.server.middleware import CallNext, MiddlewareContext

    from oneiric_mcp.installation import Installation

_JSON = "application/json"


class PluginReport(BaseModel):
    """One plugin and what became of it."""

    name: str
    distribution: str
    version: str
    status: str
    adapters: list[str]
    reason: str | None
    hint: str | None


class InstallationReport(BaseModel):
    """Everything installed."""

    adapters: list[AdapterSummary]
    plugins: list[PluginReport]
    instances: dict[str, str]
    """The configured instances, each with its adapter's name."""
    config_error: str | None
    """Why the config can't be read."""


class UnknownAdapters(Middleware):
    """Answers a read of an adapter that there isn't with the nearest names.

    Raised from the resource itself the error would be masked, and logged with a traceback.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    # Not `on_read_resource`: see ArgumentErrors.
    async def __call__(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Handle the message, unless it reads a resource of an adapter that there isn't."""
        if context.method != "resources/read":
            return await call_next(context)
        match = re.fullmatch(r"adapters(?:://|/)([^/]+)", str(context.message.uri))
        if match:
            try:
                self._installation.info(unquote(match[1]))
            except UnknownAdapter as error:
                data = {"uri": str(context.message.uri)}
                raise MCPError(code=INVALID_PARAMS, message=str(error), data=data) from None
        return await call_next(context)


def add_resources(server: FastMCP, installation: Installation) -> None:
    """Add the resources, answering from `installation`."""
    server.add_middleware(UnknownAdapters(installation))

    @server.resource("adapters://", name="adapters", mime_type=_JSON)
    async def adapters() -> str:
        """Everything installed: adapters, plugins and what became of each, configured instances."""
        return report(installation).model_dump_json()

    # The relative form beside the absolute one, for clients that resolve it against the server's own address.
    @server.resource("adapters/{adapter_name}", name="adapter-relative", mime_type=_JSON)
    @server.resource("adapters://{adapter_name}", name="adapter", mime_type=_JSON)
    async def adapter(adapter_name: str) -> str:
        """One adapter: its status, its instances, where it comes from."""
        return installation.info(adapter_name).model_dump_json()


def report(installation: Installation) -> InstallationReport:
    """Everything installed, broken plugins included."""
    instances = {name: instance.adapter for name, instance in installation.config.items()}
    return InstallationReport(
        adapters=installation.summaries(),
        plugins=[PluginReport.model_validate(plugin, from_attributes=True) for plugin in installation.catalog.plugins],
        instances=instances,
        config_error=installation.config_error,
    )
