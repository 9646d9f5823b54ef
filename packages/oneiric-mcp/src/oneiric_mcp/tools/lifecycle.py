"""The tools that run instances in the server itself: initialise, ask for health, clean up."""

# No `from __future__ import annotations`: FastMCP makes each tool's schemas from its annotations.
from typing import Any

from fastmcp import FastMCP
from fastmcp.server.auth import AuthProvider
from oneiric.errors import OneiricError
from oneiric.lifecycle import State
from pydantic import BaseModel, ConfigDict

from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.installation import Installation
from oneiric_mcp.lifecycle import Instances
from oneiric_mcp.tools.arguments import InstanceName, needing, runs, told


class InstanceReport(BaseModel):
    """An instance as it is in this server."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    instance: str
    adapter: str
    state: State
    healthy: bool | None = None
    """What its health check said; nothing where none was made."""
    latency_ms: float | None = None
    """How long the health check took."""
    error: str | None = None
    """Why it is not ready or not healthy, and what mends that."""


def add_lifecycle_tools(
    server: FastMCP, installation: Installation, instances: Instances, auth: AuthProvider | None
) -> None:
    """Add the tools that run instances, for callers with the scope."""
    check = needing(Scope.RUN, auth)

    @server.tool(annotations=runs("Initialise an adapter"), auth=check)
    async def initialize_adapter(adapter_name: InstanceName) -> InstanceReport:
        """Initialise an instance in this server, where it is not yet, and check its health. It runs until it is cleaned up."""
        with told():
            installation.instance(adapter_name)
        try:
            await instances.start(adapter_name)
        except OneiricError as error:
            return report(adapter_name, healthy=False, error=str(error))
        return await checked(adapter_name)

    @server.tool(annotations=runs("Check an adapter's health"), auth=check)
    async def check_adapter_health(adapter_name: InstanceName) -> InstanceReport:
        """Check the health of an instance that this server has initialised; one that it has not is not healthy."""
        with told():
            instances.adapter_of(adapter_name)
        return await checked(adapter_name)

    @server.tool(annotations=runs("Clean an adapter up", destructive=True), auth=check)
    async def cleanup_adapter(adapter_name: InstanceName) -> InstanceReport:
        """Clean up an instance of this server: close its connections. What other processes have open stays so."""
        with told():
            instances.adapter_of(adapter_name)
        await instances.manager.cleanup(adapter_name)
        return report(adapter_name)

    async def checked(name: str) -> InstanceReport:
        health = await instances.manager.health(name)
        error = None if health else health.detail or "It says that it is not healthy."
        return report(name, healthy=health.ok, latency_ms=health.latency_ms, error=error)

    def report(name: str, **found: Any) -> InstanceReport:
        return InstanceReport(instance=name, adapter=instances.adapter_of(name), state=instances.state(name), **found)
