"""The conformance kit, on a file and in memory."""

from __future__ import annotations

from typing import Any

import pytest

from oneiric_duckdb.conformance import DuckdbSuite


class TestFile(DuckdbSuite):
    """On a file."""


class TestMemory(DuckdbSuite):
    """In memory, where nothing lasts."""

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {"path": ":memory:"}
