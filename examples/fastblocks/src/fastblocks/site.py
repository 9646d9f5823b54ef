"""A folder of templates, as blocks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fastblocks.block import Block, InvalidBlock

if TYPE_CHECKING:
    from pathlib import Path


def read_site(folder: Path) -> list[Block]:
    """A block for each `NAME.html`, with `NAME.json` beside it as its context; `_NAME.html` are the partials of all.

    Raises InvalidBlock where there is no template, or a context is no JSON object.
    """
    templates = {path.name: path for path in sorted(folder.glob("*.html"))}
    partials = {name: path.read_text(encoding="utf-8") for name, path in templates.items() if name.startswith("_")}
    blocks = [_block(path, partials) for name, path in templates.items() if name not in partials]
    if not blocks:
        raise InvalidBlock(f"There is no template in {folder}: one is a file `NAME.html`.")
    return blocks


def _block(path: Path, partials: dict[str, str]) -> Block:
    beside = path.with_suffix(".json")
    context: object = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
    if not isinstance(context, dict):
        raise InvalidBlock(f"{beside} should be a JSON object.")
    return Block(name=path.stem, template=path.read_text(encoding="utf-8"), context=context, partials=partials)
