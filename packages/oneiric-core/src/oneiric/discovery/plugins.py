"""What became of each entry point: a Plugin with its status, and where it failed the reason and the traceback."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PluginStatus(StrEnum):
    """What became of an entry point."""

    LOADED = "loaded"
    BLOCKED = "blocked"
    FAILED = "failed"
    COLLIDED = "collided"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point of group `oneiric`, and what became of it."""

    name: str
    """The entry point's name."""
    target: str
    """The entry point's value: the module (or `module:object`) with the hookimpls."""
    distribution: str
    version: str
    status: PluginStatus
    adapters: tuple[str, ...] = ()
    """The names of the adapters that it declares, those that collided included."""
    reason: str | None = None
    """Why it is not loaded, or not wholly: one sentence."""
    hint: str | None = None
    """What to do about that."""
    traceback: str | None = None
    """Where it failed by an exception."""
