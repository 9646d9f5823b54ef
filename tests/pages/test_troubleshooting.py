"""docs/troubleshooting.md has each error, and what it shows is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from oneiric import errors
from oneiric_mcp import client
from walkthrough import check, untold

PAGE = (Path(__file__).parent.parent.parent / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
CLASSES = {
    name: value
    for name, value in [*vars(errors).items(), *((name, getattr(client, name)) for name in client.__all__)]
    if isinstance(value, type) and issubclass(value, errors.OneiricError)
}
SECTIONS = dict(re.findall(r"^### `(\w+)`\n\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_each_class_of_errors_has_its_section() -> None:
    assert SECTIONS.keys() == CLASSES.keys()
    assert len(re.findall("^### ", PAGE, re.MULTILINE)) == len(CLASSES)


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "OneiricError"])
def test_each_section_says_what_to_do(name: str) -> None:
    meaning, _, mend = SECTIONS[name].partition("**Do**: ")
    assert len(meaning) > 30
    assert len(mend) > 15


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_said_of_transience_is_so(name: str) -> None:
    assert ("`transient`" in SECTIONS[name].partition("**Do**")[0]) >= CLASSES[name].transient


def test_the_errors_are_as_they_are_shown(folder: Path, environment: dict[str, str]) -> None:
    failing = {
        "oneiric doctor": 1,
        "LEDGER_PASSWORD=example oneiric test ledger": 1,
        "LEDGER_PASSWORD=example oneiric health ledger": 1,
    }
    check(PAGE, folder, environment, failing=failing)
    assert untold(PAGE) == []
