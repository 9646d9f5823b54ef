"""The conformance kit, on pgvector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing.vector import VectorSuite

if TYPE_CHECKING:
    from collections.abc import Mapping


class TestPgVector(VectorSuite):
    adapter_name = "pgvector"

    @pytest.fixture
    def config(self, vector_config: Mapping[str, Any]) -> Mapping[str, Any]:
        return vector_config
