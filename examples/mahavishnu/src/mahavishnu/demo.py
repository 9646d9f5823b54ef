"""`oneiric demo --app mahavishnu`: a sweep over real source code, past the death of a worker and of the MCP server."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack, aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from oneiric.adapters.queue import TaskState

from mahavishnu.app import MESSAGES, MahavishnuApp
from mahavishnu.processes import mcp_server, worker
from mahavishnu.repositories import RepositorySettings
from mahavishnu.settings import MahavishnuSettings
from mahavishnu.sweep import SweepReport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric.adapters.messaging import Message

    from mahavishnu.sweep import Sweep

_MODULES = ("oneiric", "oneiric_mcp", "oneiric_rq", "oneiric_redis_pubsub", "mahavishnu", "pydantic", "redis", "rq")
"""Whose source code is swept over: it is installed wherever the demo is."""
_PATIENCE = 50.0
_CONFIG = """\
adapters:
  jobs: {{adapter: rq, url: "embedded://{name}", tasks: [mahavishnu.tasks]}}
  events: {{adapter: redis-streams, url: "embedded://{name}"}}
"""


async def demo(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Sweep; gives each step and what came of it. Raises where something is not as it should be."""
    name = f"mahavishnu-{uuid4().hex[:8]}"
    (folder / "oneiric.yaml").write_text(_CONFIG.format(name=name), encoding="utf-8")
    repositories = await asyncio.to_thread(_make_repositories, folder / "repositories")
    async with asyncio.timeout(_PATIENCE), AsyncExitStack() as stack:
        server, url = await stack.enter_async_context(mcp_server(folder))
        settings = MahavishnuSettings(
            oneiric_mcp_url=url,
            repositories=RepositorySettings(root=folder / "repositories"),
        )
        app = await stack.enter_async_context(MahavishnuApp(settings))
        yield "ask the MCP server, initialise what the settings name", _adapters(app)

        first = await stack.enter_async_context(worker(folder))
        sweep = await app.start_sweep()
        report = SweepReport(sweep.id)
        await _until_one_has_ended(app, sweep)
        await first.kill()
        had_ended = len((await app.poll(sweep)).results)
        await stack.enter_async_context(worker(folder))
        async for path, status in app.follow(sweep):
            report.statuses[path] = status
            await app.send_repository_message(path, "swept", status.get("result"))
        yield "sweep by tasks, the worker killed in the middle", f"after {had_ended}: {_swept(report, repositories)}"

        told = await _messages(app, repositories)
        yield "repository messages, read from the stream", f"{told} of {repositories} repositories were told of"

        await server.kill()
        stale = await app.refresh()
        if not stale.is_stale or not all((await app.health()).values()):
            raise AssertionError("the application did not outlive the MCP server")
        yield "the MCP server killed: the application works on", str(stale)
        await stack.enter_async_context(mcp_server(folder, urlsplit(url).port or 0))
        fresh = await app.refresh()
        if fresh.is_stale:
            raise AssertionError(str(fresh))
        yield "the MCP server started again", str(fresh)


def _make_repositories(root: Path) -> int:
    for name in _MODULES:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            shutil.copytree(Path(spec.origin).parent, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
            (root / name / ".git").mkdir()
            (root / name / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    return len(list(root.iterdir()))


def _adapters(app: MahavishnuApp) -> str:
    names = [*app.settings.adapters, "repositories"]
    adapters = ", ".join(f"app.{name}: {getattr(app, name).__class__.__name__}" for name in names)
    return f"{app.known}; {adapters}"


async def _until_one_has_ended(app: MahavishnuApp, sweep: Sweep) -> None:
    async with aclosing(app.follow(sweep)) as ended:
        await anext(ended)


def _swept(report: SweepReport, repositories: int) -> str:
    states = [status["state"] for status in report.statuses.values()]
    if states.count(TaskState.SUCCEEDED) != repositories:
        raise AssertionError(f"of {repositories} tasks not all have succeeded: {report.failures}")
    totals = report.totals
    return (
        f"{repositories} repositories, {totals['files']} files, {totals['python_lines']} lines of Python; 0 tasks lost"
    )


async def _messages(app: MahavishnuApp, repositories: int) -> int:
    told: set[str] = set()
    complete = asyncio.Event()

    async def handle(message: Message) -> None:
        told.add(message["repository"])
        if len(told) == repositories:
            complete.set()

    consumer = asyncio.create_task(app.messages.consume(MESSAGES, handle))
    await complete.wait()
    consumer.cancel()
    await asyncio.wait({consumer})
    return len(told)
