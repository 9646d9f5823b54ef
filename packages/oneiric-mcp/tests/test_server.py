"""The server as a whole: it starts, lists and explains whatever is broken."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastmcp import Client
from oneiric_mcp import Installation, build_server

if TYPE_CHECKING:
    import pytest
    from conftest import Site

BROKEN = (
    "raise RuntimeError('it broke')",
    "import sys; sys.exit(3)",
    "def (",
    "import no_such_module",
    "from oneiric import hookimpl\n@hookimpl\ndef oneiric_adapters():\n    return 5\n",
)


async def test_it_says_who_it_is(client: Client[Any]):
    assert client.server_info
    assert (client.server_info.name, client.server_info.version) == ("oneiric", version("oneiric-mcp"))
    assert "list_adapters" in str(client.instructions)


async def test_it_looks_at_nothing_before_it_is_asked(site: Site):
    site.install("loud", "raise KeyboardInterrupt")
    async with Client(build_server()) as client:
        assert await client.list_tools()


async def test_with_every_plugin_broken_it_starts_lists_and_explains(site: Site, monkeypatch: pytest.MonkeyPatch):
    for number, source in enumerate(BROKEN):
        site.install(f"bad{number}", source)
    monkeypatch.setenv("ONEIRIC_BLOCK_PLUGINS", "shelf")
    names = {f"bad{number}" for number in range(len(BROKEN))}
    async with Client(build_server()) as client:
        listed = (await client.call_tool("list_adapters")).structured_content["result"]
        assert not names & {adapter["name"] for adapter in listed}
        (content,) = await client.read_resource("adapters://")
        plugins = Installation().catalog.plugins
        assert {plugin.name for plugin in plugins if plugin.status == "failed"} == names
        assert all(f'"{name}"' in content.text for name in names)
        answer = await client.call_tool("get_adapter_info", {"adapter_name": "bad0"}, raise_on_error=False)
        assert answer.content[0].text.startswith("The adapter `bad0` is not available: RuntimeError: it broke")


async def test_a_hundred_calls_at_once(client: Client[Any]):
    answers = await asyncio.gather(
        *(client.call_tool("get_adapter_info", {"adapter_name": "shelf"}) for _ in range(100))
    )
    assert {answer.structured_content["name"] for answer in answers} == {"shelf"}
