"""The conformance kit, on a file and in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import DatabaseSuite

if TYPE_CHECKING:
    from pathlib import Path


class TestFile(DatabaseSuite):
    adapter_name = "duckdb"
    deferred_key = None  # DuckDB checks foreign keys at once

    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, Any]:
        """A file that is made by `init`."""
        return {"path": str(tmp_path / "test.duckdb")}


class TestMemory(DatabaseSuite):
    adapter_name = "duckdb"
    deferred_key = None

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        """In memory."""
        return {"path": ":memory:"}
