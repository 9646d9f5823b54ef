"""The resources: `adapters://` (everything installed) and `adapters://{adapter_name}` (one adapter)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmcp.server.middleware import Middleware
from mcp import MCPError
from mcp_types import INVALID_PARAMS
from oneiric.errors import UnknownAdapter
from oneiric.inspection import AdapterInfo, AdapterSummary
from oneiric.lifecycle import State
from pydantic import BaseModel

from oneiric_mcp.uris import ALL, ONE, ONE_RELATIVE, adapter_in

if TYPE_CHECKING:
    from fastmcp import FastMCP
    from fastmcp.server.middleware import CallNext, MiddlewareContext

    from oneiric_mcp.installation import Installation
    from oneiric_mcp.lifecycle import Instances

_JSON = "application/json"

# Each model's validation is built at its first use: a client waits for the start, and few ask for a resource at once.


class PluginReport(BaseModel, defer_build=True):
    """One plugin and what became of it."""

    name: str
    distribution: str
    version: str
    status: str
    adapters: list[str]
    reason: str | None
    hint: str | None


class InstallationReport(BaseModel, defer_build=True):
    """Everything installed."""

    adapters: list[AdapterSummary]
    plugins: list[PluginReport]
    instances: dict[str, str]
    """The configured instances, each with its adapter's name."""
    states: dict[str, State]
    """Where each instance is in its life, in this server."""
    config_error: str | None
    """Why the config can't be read."""


class AdapterReport(AdapterInfo, defer_build=True):
    """One adapter, and its instances as they are in this server."""

    states: dict[str, State]
    """Where each instance is in its life."""


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
        adapter = adapter_in(str(context.message.uri))
        if adapter is not None:
            try:
                self._installation.info(adapter)
            except UnknownAdapter as error:
                data = {"uri": str(context.message.uri)}
                raise MCPError(code=INVALID_PARAMS, message=str(error), data=data) from None
        return await call_next(context)


def add_resources(server: FastMCP, installation: Installation, instances: Instances) -> None:
    """Add the resources, answering from `installation` and `instances`."""
    server.add_middleware(UnknownAdapters(installation))

    @server.resource(ALL, name="adapters", mime_type=_JSON)
    async def adapters() -> str:
        """Everything installed: adapters, plugins and what became of each, configured instances and their states."""
        return report(installation, instances).model_dump_json()

    @server.resource(ONE_RELATIVE, name="adapter-relative", mime_type=_JSON)
    @server.resource(ONE, name="adapter", mime_type=_JSON)
    async def adapter(adapter_name: str) -> str:
        """One adapter: its status, its instances and their states, where it comes from."""
        info = installation.info(adapter_name)
        states = {name: instances.state(name) for name in info.instances}
        return AdapterReport(**dict(info), states=states).model_dump_json()


def report(installation: Installation, instances: Instances) -> InstallationReport:
    """Everything installed, broken plugins included."""
    config = installation.config
    return InstallationReport(
        adapters=installation.summaries(),
        plugins=[PluginReport.model_validate(plugin, from_attributes=True) for plugin in installation.catalog.plugins],
        instances={name: instance.adapter for name, instance in config.items()},
        states={name: instances.state(name) for name in config},
        config_error=installation.config_error,
    )
