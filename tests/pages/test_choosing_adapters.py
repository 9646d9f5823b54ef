"""docs/choosing-adapters.md, followed by its reader; docs/settings.md, which has what each can be told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from oneiric.discovery import discover
from walkthrough import check, untold

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "choosing-adapters.md").read_text(encoding="utf-8")
OURS = [spec for spec in discover() if (spec.distribution or "").startswith("oneiric-")]


def test_whoever_follows_it_sees_what_it_says(folder: Path, environment: dict[str, str]) -> None:
    check(PAGE, folder, environment)
    assert untold(PAGE) == []


def test_it_speaks_of_each_adapter() -> None:
    assert set(re.findall(r"^- \*\*`([\w-]+)`\*\*", PAGE, re.MULTILINE)) == {spec.name for spec in OURS}


@pytest.mark.parametrize("spec", OURS, ids=lambda spec: spec.name)
def test_the_settings_of_each_adapter_are_in_their_page(spec) -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert f"## `{spec.name}` ({spec.distribution})\n" in page
    assert [key for key in spec.settings.model_fields if f"| `{key}` |" not in page] == []
