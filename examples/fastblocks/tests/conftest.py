"""What the tests share: a folder with an oneiric.yaml, the engine, and the application as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import TYPE_CHECKING, get_args

import pytest

from fastblocks.engines import Engine, EngineName

if TYPE_CHECKING:
    from asyncio.subprocess import Process

GARDEN = Path(sys.modules["fastblocks"].__file__ or "").parent / "garden"


class App:
    """`fastblocks` on the adapters of one oneiric.yaml."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.engine = engine
        self.config = {
            "queue": engine.config,
            "pages": {"adapter": "sqlite", "path": str(folder / "pages.db")},
            "search": {"adapter": "qdrant", "url": f"embedded://{folder}/index"},
        }
        self.file = folder / "oneiric.yaml"
        self.file.write_text(json.dumps({"adapters": self.config}))  # JSON is YAML

    async def start(self, *arguments: str) -> Process:
        """A process of it; its lines come as it writes them."""
        command = [sys.executable, "-u", "-m", "fastblocks", *arguments, "--config", str(self.file)]
        return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, env={**os.environ})

    async def run(self, *arguments: str) -> list[str]:
        """The lines that it has written; it must have succeeded."""
        process = await self.start(*arguments)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, output.decode()
        return output.decode().splitlines()


@pytest.fixture(params=get_args(EngineName))
def app(request: pytest.FixtureRequest, tmp_path: Path) -> App:
    return App(tmp_path, Engine(request.param, f"embedded://{tmp_path}/queue"))


@pytest.fixture
def garden() -> Path:
    return GARDEN
