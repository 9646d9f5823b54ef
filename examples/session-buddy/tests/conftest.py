"""What the tests share: a folder with an oneiric.yaml and the one to move to, and what brings a store there."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterManager

from session_buddy import SessionBuddy
from session_buddy.service import configs_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIGHT = """\
adapters:
  reflections:  # where they are
    adapter: sqlite
    path: {folder}/{name}.db
  memory:
    adapter: qdrant
    url: embedded://{folder}/{name}
"""
POSTGRES = """\
adapters:
  reflections:
    adapter: postgres
    dsn: embedded://{folder}/{name}
    connect_timeout: 30
  memory:
    adapter: pgvector
    dsn: embedded://{folder}/{name}
    connect_timeout: 30
"""


class Store:
    """The folder of a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = self.write("oneiric.yaml", LIGHT, "here")
        self.light = self.write("light.yaml", LIGHT, "there")
        self.postgres = self.write("postgres.yaml", POSTGRES, "pg")

    def write(self, file: str, text: str, name: str = "") -> Path:
        """A config, as a file."""
        path = self.folder / file
        path.write_text(text.replace("{folder}", str(self.folder)).replace("{name}", name))
        return path

    @asynccontextmanager
    async def opened(self, **options: Any) -> AsyncIterator[SessionBuddy]:
        """A store in this process."""
        async with AdapterManager.from_config(self.config, **options) as adapters, SessionBuddy(adapters) as buddy:
            yield buddy


async def go(buddy: SessionBuddy, to: Path, **options: Any) -> list[str]:
    """Move a store to what a file says."""
    return await buddy.move(configs_of(str(to), buddy), **options)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)
