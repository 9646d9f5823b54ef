"""A folder of templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fastblocks import InvalidBlock, read_site

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_read_as_blocks(garden: Path) -> None:
    blocks = read_site(garden)
    assert [block.name for block in blocks] == ["garden", "kitchen", "visit"]
    assert all(set(block.partials) == {"_layout.html", "_card.html"} for block in blocks)
    assert all(block.context["title"] for block in blocks)


def test_what_is_no_site_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidBlock, match="There is no template in"):
        read_site(tmp_path)
    (tmp_path / "a.html").write_text("a")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(InvalidBlock, match=r"a\.json should be a JSON object"):
        read_site(tmp_path)
