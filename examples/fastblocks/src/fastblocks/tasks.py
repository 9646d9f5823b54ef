"""The task that workers run: a plain function of an engine that it doesn't know."""

from __future__ import annotations

from typing import Any

from oneiric.adapters.queue import report_progress

from fastblocks.block import Block
from fastblocks.page import Page, Progress
from fastblocks.steps import STEPS, check_steps


def process_block(block: dict[str, Any], steps: list[str]) -> Page:
    """Take a block through its steps, and report each; the same block gives the same page each time."""
    names, subject = check_steps(steps), Block(**block)
    page = Page(name=subject.name, steps=names, html="")
    for done, name in enumerate(names):
        report_progress(Progress(step=name, done=done, of=len(names)))
        STEPS[name](subject, page)
    return page


PROCESS_BLOCK = f"{__name__}.{process_block.__name__}"
"""The task's name on every engine."""
