"""The plugin, and what importing it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import oneiric_mcp
import pytest

if TYPE_CHECKING:
    from conftest import Site


def test_the_plugin_imports_no_fastmcp(site: Site):
    code = (
        "import sys, typer, oneiric_mcp.plugin\n"
        "from oneiric.cli.app import build\nfrom oneiric.discovery import discover\nbuild(discover())\n"
        "sys.exit(str([name for name in ('fastmcp', 'mcp', 'uvicorn', 'starlette') if name in sys.modules]))"
    )
    assert site.run("-c", code).stderr == "[]\n"


def test_it_adds_demo_to_the_command_line(site: Site):
    assert "demo" in site.run("-m", "oneiric", "--help").stdout


def test_the_public_names_are_imported_at_their_first_use():
    assert sorted(oneiric_mcp.__all__) == oneiric_mcp.__all__
    for name in oneiric_mcp.__all__:
        assert getattr(oneiric_mcp, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = oneiric_mcp.nothing
