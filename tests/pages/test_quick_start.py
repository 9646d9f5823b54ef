"""docs/quick-start.md, followed by its reader."""

from __future__ import annotations

from pathlib import Path

from configs import problems
from walkthrough import check, untold

PAGE = (Path(__file__).parent.parent.parent / "docs" / "quick-start.md").read_text(encoding="utf-8")


def test_whoever_follows_it_sees_what_it_says(folder: Path, environment: dict[str, str]) -> None:
    check(PAGE, folder, environment)
    assert problems(folder / "production.yaml") == []
    assert untold(PAGE) == []
