"""The steps of the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from oneiric.discovery import discover
from oneiric_mcp import Installation, build_server
from oneiric_mcp.demo.steps import Step, discover_adapters, spoiled, walk

if TYPE_CHECKING:
    from conftest import Site

LIFE = [
    "discover",
    "explain",
    "validate",
    "validate a bad config",
    "test",
    "initialise",
    "use",
    "swap",
    "check health",
    "clean up",
]


async def steps(site: Site, name: str) -> list[Step]:
    catalog = discover(refresh=True)
    async with Client(build_server(Installation(catalog=catalog))) as client:
        (adapter,) = [it for it in await discover_adapters(client) if it.name == name]
        return [step async for step in walk(client, catalog, adapter)]


async def test_an_adapter_that_works_goes_through_its_whole_life(site: Site):
    walked = await steps(site, "shelf")
    assert [step.step for step in walked] == LIFE
    assert all(step.ok for step in walked), walked
    assert {step.adapter for step in walked} == {"shelf"}
    assert all(step.ms >= 0 for step in walked)
    assert "Did you mean `path`?" in walked[3].detail


BODY = """
from oneiric.adapters.base import Adapter

class Shelf(Adapter):
    async def init(self): {init}
    async def health(self): {health}
    async def cleanup(self): {cleanup}
"""


@pytest.mark.parametrize(
    ("changes", "last", "said"),
    [
        ({"init": "raise OSError('x')"}, "test", "The init of `orbit` raised OSError."),
        ({"health": "return False"}, "test", "not healthy"),
        ({"health": "raise OSError"}, "test", "Its health check raised OSError."),
        ({"init": "raise SystemExit(9)"}, "test", "The adapter raised SystemExit"),
    ],
)
async def test_the_first_step_that_fails_is_the_last(site: Site, changes: dict[str, str], last: str, said: str):
    body = {"init": "pass", "health": "return True", "cleanup": "pass"} | changes
    site.install_adapter("orbit", BODY.format(**body))
    walked = await steps(site, "orbit")
    assert walked[-1].step == last
    assert said in walked[-1].detail
    assert [step.ok for step in walked] == [True] * (len(walked) - 1) + [False]


async def test_an_adapter_that_can_not_be_used_is_shown_with_what_mends_it(site: Site):
    site.install_adapter("orbit", "import no_such_driver\nclass Shelf: pass")
    walked = await steps(site, "orbit")
    assert [(step.step, step.ok) for step in walked] == [("discover", False), ("mend", False)]
    assert "no_such_driver" in walked[-1].detail


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, {"a": 1, "colour": "?"}),
        ({"path": {"type": "string"}}, {"a": 1, "pth": "?"}),
        ({"abc": {"type": "string"}}, {"a": 1, "colour": "?"}),
        ({"readers": {"type": "integer"}}, {"a": 1, "raders": "?", "readers": "many"}),
        ({"abc": {"type": "number"}, "path": {}}, {"a": 1, "pth": "?", "abc": "many"}),
    ],
)
def test_a_config_is_spoiled_by_a_misspelling_and_a_word_for_a_number(properties: dict[str, Any], expected: Any):
    config = {"a": 1}
    assert spoiled(config, {"properties": properties}) == expected
    assert config == {"a": 1}
