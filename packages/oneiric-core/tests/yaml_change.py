"""A change of an instance in the text of a config file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oneiric.config.editing import edited
from oneiric.config.patch import same, with_instance
from oneiric.config.yaml_file import parse

PATH = Path("oneiric.yaml")


def change(text: str, changes: dict[str, Any] | None, name: str = "a") -> str:
    """The text after a change of an instance, which holds what it should."""
    old = parse(PATH, text.encode())
    content = with_instance(old.content, name, changes)
    new = edited(old, content)
    assert same(parse(PATH, new.encode()).content, content), new
    return new
