"""The in-memory reference of the vector contract, held to the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing.memory.vector import SPEC
from oneiric.testing.vector import VectorSuite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.spec import AdapterSpec


class TestMemoryVector(VectorSuite):
    adapter_name = "memory-vector"

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return SPEC

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {}
