"""The steps of a pipeline: plain functions, each of which adds to a page or changes it."""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from typing import TYPE_CHECKING

import minify_html
from bs4 import BeautifulSoup

from fastblocks.block import Block, InvalidBlock
from fastblocks.page import Heading, Page
from fastblocks.rendering import render as rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_UNSEEN = ("head", "script", "style", "template")


def render(block: Block, page: Page) -> None:
    """Make the HTML of the template."""
    page["html"] = rendered(block)


def minify(block: Block, page: Page) -> None:
    """Take out of the HTML what a browser would not show."""
    page["html"] = minify_html.minify(page["html"], keep_closing_tags=True, keep_html_and_head_opening_tags=True)


def text(block: Block, page: Page) -> None:
    """What a reader sees, without markup."""
    page["text"] = text_of(page["html"])


def outline(block: Block, page: Page) -> None:
    """The headings, with their levels."""
    found = BeautifulSoup(page["html"], "html.parser").find_all(["h1", "h2", "h3", "h4", "h5", "h6"])
    page["outline"] = [Heading(level=int(each.name[1]), text=" ".join(each.get_text(" ").split())) for each in found]


def checksum(block: Block, page: Page) -> None:
    """The SHA-256 of the HTML."""
    page["checksum"] = hashlib.sha256(page["html"].encode()).hexdigest()


STEPS: Mapping[str, Callable[[Block, Page], None]] = {
    step.__name__: step for step in (render, minify, text, outline, checksum)
}
"""By the names that a pipeline is given."""


def text_of(html: str) -> str:
    """What a reader sees of it; of its `main`, where it has one."""
    soup = BeautifulSoup(html, "html.parser")
    seen = soup.main or soup
    for element in seen.find_all(_UNSEEN):
        element.decompose()
    return " ".join(seen.get_text(" ").split())


def check_steps(names: Sequence[str]) -> list[str]:
    """The names, as a list. Raises InvalidBlock for one that is no step, and where they don't begin with `render`."""
    for name in names:
        if name not in STEPS:
            near = get_close_matches(str(name), STEPS, 1)
            hint = f"Did you mean `{near[0]}`?" if near else f"The steps are {', '.join(STEPS)}."
            raise InvalidBlock(f"There is no step {str(name)[:100]!r}. {hint}")
    if not names or names[0] != "render" or len(set(names)) < len(names):
        raise InvalidBlock("A pipeline begins with `render`, and has each step once.")
    return list(names)
