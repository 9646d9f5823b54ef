"""What a pipeline makes of a block."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Heading(TypedDict):
    """A line of an outline."""

    level: int
    text: str


class Page(TypedDict):
    """A block's page: its HTML, and what the steps found out of it."""

    name: str
    steps: list[str]
    """Those that it went through."""
    html: str
    text: NotRequired[str]
    outline: NotRequired[list[Heading]]
    checksum: NotRequired[str]
    """The SHA-256 of the HTML as it was at that step."""


class Progress(TypedDict):
    """How far a block is in its pipeline."""

    step: str
    """The one that runs; the last, where all are done."""
    done: int
    of: int


def all_done(page: dict[str, Any]) -> Progress:
    """The progress of a page that is made."""
    steps = page["steps"]
    return Progress(step=steps[-1], done=len(steps), of=len(steps))
