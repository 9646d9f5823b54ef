"""The scenarios that mean something for a server without the suite's own fixture tools, in both eras of the protocol."""

# ruff: noqa: D103 - a test's name is its docstring

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.conftest import Server, Suite

HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"

SCENARIOS = {
    HANDSHAKE: (
        "server-initialize",
        "server-session-lifecycle",
        "ping",
        "logging-set-level",
        "tools-list",
        "resources-list",
        "prompts-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ),
    STATELESS: (
        "server-stateless",
        "tools-list",
        "resources-list",
        "prompts-list",
        "sep-2164-resource-not-found",
        "caching",
        "http-header-validation",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ),
}

EXCUSED = {
    # Both call `test_missing_capability`, a tool that only the suite's own fixture server has.
    "server-stateless": frozenset(
        {"sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-http-400"}
    ),
}

pytestmark = pytest.mark.timeout(360)


@pytest.mark.parametrize(
    ("protocol", "scenario"), [(protocol, name) for protocol, names in SCENARIOS.items() for name in names]
)
def test_a_scenario_passes(suite: Suite, server: Server, protocol: str, scenario: str) -> None:
    """The scenario's own output is the failure's text."""
    outcome = suite.run(server.url, protocol, scenario)
    if server.process.poll() is not None or not outcome.passed(excused=EXCUSED.get(scenario, frozenset())):
        pytest.fail(f"{outcome.output}\n{server.report()}", pytrace=False)


@pytest.mark.parametrize(("protocol", "scenario"), [(STATELESS, "no-such-scenario"), (HANDSHAKE, "caching")])
def test_a_scenario_that_the_suite_does_not_run_is_no_pass(
    suite: Suite, server: Server, protocol: str, scenario: str
) -> None:
    assert not suite.run(server.url, protocol, scenario).passed()


def test_a_server_that_has_died_does_not_pass(suite: Suite, dead_server: Server) -> None:
    assert not suite.run(dead_server.url, HANDSHAKE, "ping").passed()
    assert "ended with exit code -9" in dead_server.report()
