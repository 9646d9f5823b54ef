"""Layers of settings, each value with where it comes from, and how one layer lies over another.

A layer is a tree: mappings down to `Sourced` leaves. Lists, references and empty mappings are leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from oneiric.config.references import is_reference
from oneiric.errors import ConfigError
from oneiric.validation import MAX_DEPTH

MAX_VALUES = 20_000
"""How many values of an instance are told apart. An alias in YAML can stand for any number of them, or for itself; a mapping
that is past this, or deeper than a config may be, stays whole, and a higher layer replaces it as one."""

MAX_ALL_VALUES = 10 * MAX_VALUES
"""How many values a layer may have."""

Path = tuple[str, ...]
"""The keys that lead to a value, the instance's name first."""


class LayerName(StrEnum):
    """The layers, the lowest first."""

    DEFAULT = "default"
    FILE = "file"
    DOTENV = ".env"
    ENVIRONMENT = "environment"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from."""

    layer: LayerName
    location: str | None = None
    """`oneiric.yaml:7`, or a variable's name; None for a default and an override."""


@dataclass(frozen=True, slots=True)
class Sourced:
    """A value and where it comes from."""

    value: Any
    source: Source


Tree = dict[str, "Sourced | Tree"]


def sourced(values: Mapping[str, Any], locate: Callable[[Path], Source]) -> Tree:
    """The tree of a layer; `locate` says where the value at a path comes from. Raises ConfigError for too many values."""
    tree: Tree = {}
    left = MAX_ALL_VALUES
    for name, instance in values.items():
        budget = _Budget(min(left, MAX_VALUES))
        if len(instance) > left:
            raise ConfigError(
                f"The config holds more than {MAX_ALL_VALUES} values, counted where an alias repeats them."
            )
        tree[str(name)] = _branch(instance, (str(name),), locate, budget)
        left -= len(instance) + budget.spent
    return tree


@dataclass(slots=True)
class _Budget:
    size: int
    spent: int = 0

    def has_room_for(self, values: Mapping[str, Any]) -> bool:
        if self.spent + len(values) > self.size:
            return False
        self.spent += len(values)
        return True


def _branch(values: Mapping[str, Any], path: Path, locate: Callable[[Path], Source], budget: _Budget) -> Tree:
    tree: Tree = {}
    for key, value in values.items():
        inner = (*path, str(key))
        if _is_branch(value) and len(inner) <= MAX_DEPTH and budget.has_room_for(value):
            tree[key] = _branch(value, inner, locate, budget)
        else:
            tree[key] = Sourced(value, locate(inner))
    return tree


def _is_branch(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and not is_reference(value)


def merged(lower: Tree, upper: Tree) -> Tree:
    """`lower` with `upper` over it, key by key down to where either has a leaf. An empty mapping changes nothing."""
    result = dict(lower)
    for key, value in upper.items():
        below = lower.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            result[key] = merged(below, value)
        elif not (isinstance(below, dict) and isinstance(value, Sourced) and value.value == {}):
            result[key] = value
    return result


def plain(tree: Tree) -> dict[str, Any]:
    """The values alone."""
    return {key: value.value if isinstance(value, Sourced) else plain(value) for key, value in tree.items()}


def leaves(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Sourced]]:
    """Every value with its path, in order."""
    for key, value in tree.items():
        if isinstance(value, Sourced):
            yield (*path, key), value
        else:
            yield from leaves(value, (*path, key))
