"""The in-memory reference of the database contract, held to the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing.database import DatabaseSuite
from oneiric.testing.memory.database import SPEC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.spec import AdapterSpec


class TestMemoryDatabase(DatabaseSuite):
    adapter_name = "memory-database"

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return SPEC

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {}
