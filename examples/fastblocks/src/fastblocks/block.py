"""What is rendered: a template, what it includes or extends, and what it is given. It travels with its task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


class InvalidBlock(ValueError):
    """A block, or the steps for it, that no worker could make a page of; raised before anything is submitted."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A template and its context. All of it is text and JSON, so that a worker on another machine needs no file."""

    name: str
    """By which its page is stored: a later page of the same name takes its place."""
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    partials: Mapping[str, str] = field(default_factory=dict)
    """Templates that it may include, import or extend, by name."""

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= 200 or not self.name.isprintable():
            raise InvalidBlock("A block's name is 1 to 200 characters that can be printed.")

    def as_json(self) -> dict[str, Any]:
        """What a task is given."""
        return asdict(self)

    def digest(self, steps: list[str]) -> str:
        """Tells this block with these steps from any other."""
        text = json.dumps([self.as_json(), steps], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
