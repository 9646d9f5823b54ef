"""The tools that discover: none of them opens, changes or imports anything."""

# No `from __future__ import annotations`: FastMCP makes each tool's schemas from its annotations.
from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from mcp_types import ToolAnnotations
from oneiric.errors import OneiricError
from oneiric.inspection import AdapterInfo, AdapterSummary, ConfigValidation
from pydantic import Field

from oneiric_mcp.installation import Installation

AdapterName = Annotated[str, Field(description="The adapter's name, as list_adapters gives it.")]


def add_tools(server: FastMCP, installation: Installation) -> None:
    """Add the discovery tools, answering from `installation`."""

    @server.tool(annotations=_reads("List adapters"))
    async def list_adapters(
        adapter_type: Annotated[
            str | None, Field(description="Only this type: database, vector, queue, messaging, …; all where left out.")
        ] = None,
    ) -> list[AdapterSummary]:
        """List the installed adapters: name, type, status, capabilities and the JSON Schema of their config."""
        try:
            return installation.summaries(adapter_type)
        except OneiricError as error:
            raise ToolError(str(error)) from error

    @server.tool(annotations=_reads("Explain an adapter"))
    async def get_adapter_info(adapter_name: AdapterName) -> AdapterInfo:
        """Explain one installed adapter: what it is and can do, its settings, an example config, where it comes from."""
        try:
            return installation.info(adapter_name)
        except OneiricError as error:
            raise ToolError(str(error)) from error

    @server.tool(annotations=_reads("Validate an adapter's config"))
    async def validate_adapter_config(
        adapter_name: AdapterName,
        config: Annotated[dict[str, Any], Field(description="The config to check, as a JSON object.")],
    ) -> ConfigValidation:
        """Check a config against an adapter's settings, without connecting: every error at once, each with its path."""
        try:
            return installation.validate(adapter_name, config)
        except OneiricError as error:
            raise ToolError(str(error)) from error


def _reads(title: str) -> ToolAnnotations:
    return ToolAnnotations(
        title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
