"""The suite that `oneiric conformance qdrant` runs: in a folder, where what is written lasts. Imports pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import VectorSuite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class FolderSuite(VectorSuite):
    """A new folder for each test, kept by local mode; `init` fails where it is inside of a file."""

    adapter_name = "qdrant"

    @pytest.fixture
    def config(self, tmp_path: Path) -> Mapping[str, Any]:
        """A folder that isn't there yet."""
        return {"url": f"embedded://{tmp_path}/qdrant"}

    @pytest.fixture
    def unreachable(self, config: Mapping[str, Any], tmp_path: Path) -> Mapping[str, Any]:
        """A folder that can't be."""
        (tmp_path / "a-file").write_text("This is no folder.")
        return {**config, "url": f"embedded://{tmp_path}/a-file/x"}
