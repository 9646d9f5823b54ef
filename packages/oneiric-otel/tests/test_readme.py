"""The README's tables are of what there is."""

from __future__ import annotations

import re
from pathlib import Path

from oneiric_otel import telemetry

SOURCE = Path(telemetry.__file__).read_text(encoding="utf-8")
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_it_has_every_metric():
    created = re.findall(r'create_\w+\(\s*"(oneiric\.[\w.]+)"', SOURCE)
    assert len(created) == 5
    assert sorted(re.findall(r"^\| `(oneiric\.[\w.]+)` \|", README, re.MULTILINE)) == sorted(created)


def test_it_has_every_attribute():
    attributes = set(re.findall(r'"((?:oneiric|error)\.[\w.]+)":', SOURCE))
    assert len(attributes) == 6
    assert [attribute for attribute in attributes if f"`{attribute}`" not in README] == []
