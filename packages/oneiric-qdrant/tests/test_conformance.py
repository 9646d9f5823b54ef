"""The conformance kit: in memory, in a folder by local mode, and in a folder by Qdrant Edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import VectorSuite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class TestMemory(VectorSuite):
    adapter_name = "qdrant"

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"url": "embedded://"}


class TestFolder(VectorSuite):
    adapter_name = "qdrant"

    @pytest.fixture
    def config(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"url": f"embedded://{tmp_path}/qdrant"}


class TestEdge(VectorSuite):
    adapter_name = "qdrant"

    @pytest.fixture
    def config(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"url": f"embedded://{tmp_path}/qdrant", "engine": "edge"}
