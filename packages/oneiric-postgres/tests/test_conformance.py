"""The conformance kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing.database import DatabaseSuite

if TYPE_CHECKING:
    from collections.abc import Mapping


class TestPostgres(DatabaseSuite):
    adapter_name = "postgres"

    @pytest.fixture
    def config(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        type(self).schema = config["search_path"]
        return config
