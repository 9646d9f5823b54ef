"""The library: pages in a database, found again through a vector index, whichever these are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.adapters.vector import Record

from fastblocks.embedding import DIMENSION, embed
from fastblocks.page import Page
from fastblocks.steps import text_of

if TYPE_CHECKING:
    from oneiric.adapters.database import DatabaseAdapter, Row
    from oneiric.adapters.vector import VectorAdapter

_COLLECTION = "fastblocks"
_TABLE = """
    CREATE TABLE IF NOT EXISTS fastblocks_pages (name TEXT PRIMARY KEY, steps TEXT NOT NULL, html TEXT NOT NULL,
    text TEXT NOT NULL, outline TEXT, checksum TEXT)
"""
_SAVE = """
    INSERT INTO fastblocks_pages (name, steps, html, text, outline, checksum) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (name) DO UPDATE SET steps = excluded.steps, html = excluded.html, text = excluded.text,
    outline = excluded.outline, checksum = excluded.checksum
"""


@dataclass(frozen=True)
class Found:
    """A page that a search has found."""

    page: Page
    score: float
    """The nearer, the higher; 1 at most."""


class Library:
    """Keeps pages by name."""

    def __init__(self, database: DatabaseAdapter, vectors: VectorAdapter) -> None:
        self.database = database
        self.vectors = vectors

    async def open(self) -> None:
        """Make the table and the collection, where they aren't there."""
        await self.database.execute(_TABLE)
        await self.vectors.create_collection(_COLLECTION, DIMENSION)

    async def save(self, page: Page) -> None:
        """Keep a page, in place of an earlier one of its name. Saved twice, it is there once."""
        text = page.get("text") or text_of(page["html"])
        vector = embed(f"{page['name']} {text}")
        # The index first: what is in the database can be found, whenever this process is killed.
        await self.vectors.upsert(_COLLECTION, [Record(page["name"], vector)])
        outline = json.dumps(page["outline"]) if "outline" in page else None
        values = (page["name"], json.dumps(page["steps"]), page["html"], text, outline, page.get("checksum"))
        await self.database.execute(_SAVE, *values)

    async def get(self, name: str) -> Page | None:
        """The page of that name, if there is one."""
        row = await self.database.fetch_one("SELECT * FROM fastblocks_pages WHERE name = $1", name)
        return None if row is None else _page(row)

    async def search(self, text: str, *, limit: int = 5) -> list[Found]:
        """The pages that have most in common with a text, the nearest first."""
        matches = await self.vectors.search(_COLLECTION, embed(text), limit=limit)
        pages = [(await self.get(match.id), match.score) for match in matches]
        return [Found(page, score) for page, score in pages if page is not None]

    async def count(self) -> int:
        """How many pages there are."""
        return int(await self.database.fetch_value("SELECT count(*) FROM fastblocks_pages"))


def _page(row: Row) -> Page:
    page = Page(name=row["name"], steps=json.loads(row["steps"]), html=row["html"], text=row["text"])
    if row["outline"] is not None:
        page["outline"] = json.loads(row["outline"])
    if row["checksum"] is not None:
        page["checksum"] = row["checksum"]
    return page
