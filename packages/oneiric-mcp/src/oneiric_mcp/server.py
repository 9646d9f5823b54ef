"""The server: FastMCP with Oneiric's tools and resources."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastmcp import FastMCP
from starlette.responses import JSONResponse

from oneiric_mcp.argument_errors import ArgumentErrors
from oneiric_mcp.installation import Installation
from oneiric_mcp.resources import add_resources
from oneiric_mcp.tools import add_tools

if TYPE_CHECKING:
    from starlette.requests import Request

_INSTRUCTIONS = """\
Oneiric gives an application its database, vector index, task queue and message bus by adapters, each a pip package.
list_adapters says which are installed here, get_adapter_info explains one, and validate_adapter_config checks a config
before anybody uses it. Nothing here opens a connection or changes anything."""


def build_server(installation: Installation | None = None) -> FastMCP:
    """The server for what is installed here; it starts whatever is broken, as it looks at nothing before it is asked."""
    shown = Installation() if installation is None else installation
    server = FastMCP(
        "oneiric",
        instructions=_INSTRUCTIONS,
        version=version("oneiric-mcp"),
        middleware=[ArgumentErrors()],
        mask_error_details=True,
    )
    add_tools(server, shown)
    add_resources(server, shown)

    @server.custom_route("/health", methods=["GET"])
    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return server
