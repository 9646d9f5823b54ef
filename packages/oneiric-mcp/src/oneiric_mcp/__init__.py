"""The Oneiric MCP server: what adapters are installed, what they can do, and whether a config is right."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric_mcp.installation import Installation
    from oneiric_mcp.server import build_server

__all__ = ["Installation", "build_server"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: the plugin beside this file must not import FastMCP."""
    if name == "build_server":
        from oneiric_mcp.server import build_server

        return build_server
    if name == "Installation":
        from oneiric_mcp.installation import Installation

        return Installation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
