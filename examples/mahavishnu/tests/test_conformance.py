"""The adapter of the application's own, held to what holds for an adapter of any type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing.suite import AdapterSuite

if TYPE_CHECKING:
    from pathlib import Path


class TestRepositories(AdapterSuite):
    adapter_name = "mahavishnu-repositories"

    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, Any]:
        return {"root": str(tmp_path)}
