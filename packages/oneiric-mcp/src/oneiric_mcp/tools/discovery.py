"""The tools that discover: none of them opens, changes or imports anything."""

# No `from __future__ import annotations`: FastMCP makes each tool's schemas from its annotations.
from typing import Annotated, Any

from fastmcp import FastMCP
from oneiric.inspection import AdapterInfo, AdapterSummary, ConfigValidation
from pydantic import Field

from oneiric_mcp.installation import Installation
from oneiric_mcp.tools.arguments import AdapterName, reads, told


def add_discovery_tools(server: FastMCP, installation: Installation) -> None:
    """Add the discovery tools, answering from `installation`."""

    @server.tool(annotations=reads("List adapters"))
    async def list_adapters(
        adapter_type: Annotated[
            str | None, Field(description="Only this type: database, vector, queue, messaging, …; all where left out.")
        ] = None,
    ) -> list[AdapterSummary]:
        """List the installed adapters: name, type, status, capabilities and the JSON Schema of their config."""
        with told():
            return installation.summaries(adapter_type)

    @server.tool(annotations=reads("Explain an adapter"))
    async def get_adapter_info(adapter_name: AdapterName) -> AdapterInfo:
        """Explain one installed adapter: what it is and can do, its settings, an example config, where it comes from."""
        with told():
            return installation.info(adapter_name)

    @server.tool(annotations=reads("Validate an adapter's config"))
    async def validate_adapter_config(
        adapter_name: AdapterName,
        config: Annotated[dict[str, Any], Field(description="The config to check, as a JSON object.")],
    ) -> ConfigValidation:
        """Check a config against an adapter's settings, without connecting: every error at once, each with its path."""
        with told():
            return installation.validate(adapter_name, config)
