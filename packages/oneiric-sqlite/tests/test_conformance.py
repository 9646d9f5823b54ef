"""The conformance kit, on a file and in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing.database import DatabaseSuite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class TestFile(DatabaseSuite):
    adapter_name = "sqlite"

    @pytest.fixture
    def config(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"path": str(tmp_path / "test.db")}


class TestMemory(DatabaseSuite):
    adapter_name = "sqlite"

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"path": ":memory:"}
