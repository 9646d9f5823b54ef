"""What the tests share: a folder with repositories and a server's config, and the processes that work on it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from mahavishnu.processes import mcp_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_CONFIG = """\
adapters:
  jobs: {{adapter: rq, url: "embedded://{name}", tasks: [mahavishnu.tasks]}}
  events: {{adapter: redis-streams, url: "embedded://{name}"}}
"""


class Site:
    """A folder: `oneiric.yaml` of the MCP server, and repositories."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repositories = folder / "repositories"
        self.repositories.mkdir()
        (folder / "oneiric.yaml").write_text(_CONFIG.format(name=f"mv-{uuid4().hex[:12]}"), encoding="utf-8")

    def add_repository(self, name: str, *, files: int = 3, lines: int = 10) -> Path:
        """A repository of a commit, with so many Python files of so many lines each."""
        repository = self.repositories / name
        (repository / ".git" / "refs" / "heads").mkdir(parents=True)
        (repository / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
        (repository / ".git" / "refs" / "heads" / "main").write_text(f"{COMMIT}\n", encoding="utf-8")
        for number in range(files):
            (repository / f"module_{number}.py").write_text("pass\n" * lines, encoding="utf-8")
        return repository

    def environment(self, url: str, **more: str) -> dict[str, str]:
        """That of the application's process."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("ONEIRIC_", "MAHAVISHNU_"))}
        named = {"MAHAVISHNU_ONEIRIC_MCP_URL": url, "MAHAVISHNU_REPOSITORIES__ROOT": str(self.repositories)}
        return {**ours, **named, **more}

    async def run(self, *arguments: str, url: str, **environment: str) -> tuple[int, str, str]:
        """Run the `mahavishnu` command to its end: its exit code, and what it wrote."""
        process = await self.begin(*arguments, url=url, **environment)
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()

    async def begin(self, *arguments: str, url: str, **environment: str) -> asyncio.subprocess.Process:
        """Start the `mahavishnu` command."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mahavishnu", *arguments),
            cwd=self.folder,
            env=self.environment(url, **environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def sweep(self, *arguments: str, url: str, **environment: str) -> dict[str, Any]:
        """What `mahavishnu sweep` prints."""
        code, output, errors = await self.run("sweep", *arguments, url=url, **environment)
        assert code == 0, errors
        report: dict[str, Any] = json.loads(output)
        return report

    @asynccontextmanager
    async def server(self) -> AsyncIterator[str]:
        """The MCP server in a process of its own; gives its URL."""
        async with mcp_server(self.folder) as (_, url):
            yield url


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for variable in [name for name in os.environ if name.startswith(("ONEIRIC_", "MAHAVISHNU_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return Site(tmp_path)
