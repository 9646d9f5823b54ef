"""The configs that the docs show: is each one right?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.config import ConfigStore, problems_of, schemes_of, spec_of
from oneiric.discovery import discover

if TYPE_CHECKING:
    from pathlib import Path


def problems(file: Path) -> list[str]:
    """What is wrong with the instances of a config file; references are not resolved."""
    found, store = discover(), ConfigStore.load(file, environ={})
    assert len(store)
    return [
        f"{name}: {problem}"
        for name in store
        for problem in problems_of(spec_of(store[name], found).settings, store[name].values, schemes_of(found.hooks))
    ]
