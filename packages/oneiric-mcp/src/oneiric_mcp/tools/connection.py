"""The tool that tests a connection."""

# No `from __future__ import annotations`: FastMCP makes each tool's schemas from its annotations.
import asyncio
from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.auth import AuthProvider
from oneiric.config import Instance
from oneiric.diagnostics import AllowedTargets, ConnectionTest, check_connection
from pydantic import Field

from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.installation import Installation
from oneiric_mcp.tools.arguments import InstanceName, needing, reads, told

AT_ONCE = 4
"""How many tests may run at the same time; one more is told to come later."""
TIMEOUT = 10.0
"""Seconds that each stage of a test may take, and a third of what all of them may."""


def add_connection_tools(
    server: FastMCP, installation: Installation, allowed_hosts: frozenset[str], auth: AuthProvider | None
) -> None:
    """Add the tool that tests a connection, for callers with the scope."""
    running = asyncio.Semaphore(AT_ONCE)

    @server.tool(
        annotations=reads("Test an adapter's connection", opens_connections=True), auth=needing(Scope.RUN, auth)
    )
    async def test_adapter_connection(
        adapter_name: InstanceName,
        config: Annotated[
            dict[str, Any] | None,
            Field(
                description="Another config to try, whole; it may reach only what the stored configs reach and the hosts that "
                "the server was started with by --allow-host. The stored one where left out."
            ),
        ] = None,
    ) -> ConnectionTest:
        """Test whether a config works, by stages: resolve, connect, TLS, authenticate, ping. With an adapter of its own."""
        if running.locked():
            raise ToolError(f"{AT_ONCE} connection tests are running. Try again when one has ended.")
        async with running:
            with told():
                instance = installation.instance(adapter_name) if config is None else given(adapter_name, config)
                allowed = None if config is None else allowed_targets()
            return await check_connection(
                instance,
                installation.catalog,
                variables=installation.config.variables,
                timeout=TIMEOUT,
                allowed=allowed,
            )

    def allowed_targets() -> AllowedTargets:
        return AllowedTargets(allowed_hosts, tuple(installation.config.values()))

    def given(name: str, config: dict[str, Any]) -> Instance:
        stored = installation.config.get(name)
        values = dict(config)
        adapter = values.pop("adapter", stored.adapter if stored else name.replace("_", "-"))
        if not isinstance(adapter, str):
            raise ToolError("`adapter` in the config should be the name of an adapter.")
        return Instance(name, adapter, values)
