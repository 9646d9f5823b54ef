"""The conformance kit: in memory, in a folder by local mode, and in a folder by Qdrant Edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import VectorSuite
from oneiric_qdrant.conformance import FolderSuite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class TestMemory(VectorSuite):
    adapter_name = "qdrant"

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"url": "embedded://"}


class TestFolder(FolderSuite):
    """As `oneiric conformance qdrant` runs it."""


class TestEdge(FolderSuite):
    @pytest.fixture
    def config(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"url": f"embedded://{tmp_path}/qdrant", "engine": "edge", "exact": True}
