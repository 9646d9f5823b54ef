"""At DEBUG the server's logs hold nothing that a client sent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from fastmcp import Client
from oneiric_mcp import Installation, build_server
from oneiric_mcp.debug_logs import LOGGERS

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGUMENTS = {"adapter_name": "shelf", "config": {"password": "hunter2"}}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG)
    for name in ("fastmcp", *LOGGERS):
        caplog.set_level(logging.DEBUG, name)
    before = logging.getLogger("fastmcp").propagate
    logging.getLogger("fastmcp").propagate = True
    yield caplog
    logging.getLogger("fastmcp").propagate = before


async def test_no_argument_of_a_tool_is_logged(installation: Installation, log: pytest.LogCaptureFixture):
    async with Client(build_server(installation)) as client:
        await client.call_tool("validate_adapter_config", ARGUMENTS)
    assert "hunter2" not in log.text
    assert log.records


async def test_without_the_filter_it_would_be(installation: Installation, log: pytest.LogCaptureFixture):
    async with Client(build_server(installation)) as client:
        for name in LOGGERS:
            logging.getLogger(name).filters.clear()
        await client.call_tool("validate_adapter_config", ARGUMENTS)
    assert "hunter2" in log.text
