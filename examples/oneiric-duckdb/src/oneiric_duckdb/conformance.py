"""The suite that holds this adapter to its contract: `oneiric conformance duckdb` runs it, and so do the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import DatabaseSuite

if TYPE_CHECKING:
    from pathlib import Path


class DuckdbSuite(DatabaseSuite):
    """The kit's, with what DuckDB's SQL lacks: a foreign key is checked at once, never at the commit."""

    adapter_name = "duckdb"
    deferred_key = None

    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, Any]:
        """A file that is made by `init`."""
        return {"path": str(tmp_path / "test.duckdb")}
