"""`oneiric demo --app fastblocks`: the same blocks on RQ and on Celery, with a worker killed in the middle."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric import AdapterManager
from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.queue import QueueAdapter, TaskState
from oneiric.adapters.vector import VectorAdapter

from fastblocks.block import Block
from fastblocks.engines import Engine, EngineName
from fastblocks.library import Library
from fastblocks.pipeline import FastBlocksPipeline
from fastblocks.publishing import publish
from fastblocks.site import read_site
from fastblocks.steps import STEPS
from fastblocks.tasks import process_block

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from oneiric.adapters.queue import TaskStatus

_PRIMES = """
<h1>Primes below {{ end }}</h1>
{% for number in range(2, end) %}
  {%- set found = namespace(divisor=none) -%}
  {%- for divisor in range(2, number) if number % divisor == 0 %}{% set found.divisor = divisor %}{% endfor -%}
  {%- if not found.divisor %}<i>{{ number }}</i> {% endif -%}
{% endfor %}
"""
"""A template that takes a while."""
_SEARCH = "watering the beans in the evening"


def slow_blocks(count: int, *, end: int = 3_000) -> list[Block]:
    """Blocks that take about half a second each."""
    return [Block(name=f"primes-{number}", template=_PRIMES, context={"end": end + number}) for number in range(count)]


async def demo(folder: Path) -> AsyncGenerator[tuple[str, str]]:
    """Tell what is done, and what came of it; raises where it fails."""
    blocks = [*read_site(Path(__file__).parent / "garden"), *slow_blocks(4)]
    expected = {block.name: process_block(block.as_json(), list(STEPS)) for block in blocks}
    yield "render here", f"{len(blocks)} blocks, to compare with"
    for name in _ENGINES:
        engine = Engine(name, f"embedded://{folder / name}")
        async with aclosing(render_and_kill(folder, engine, blocks, expected)) as told:
            async for step, outcome in told:
                yield f"{name}: {step}", outcome


_ENGINES: tuple[EngineName, ...] = ("rq", "celery")


async def render_and_kill(
    folder: Path, engine: Engine, blocks: list[Block], expected: dict[str, Any]
) -> AsyncGenerator[tuple[str, str]]:
    """Have blocks rendered on an engine whose worker is killed in the middle; raises where the pages aren't as expected."""
    config = {
        "queue": engine.config,
        "pages": {"adapter": "sqlite", "path": str(folder / f"{engine.name}.db")},
        "search": {"adapter": "qdrant", "url": f"embedded://{folder / engine.name}-index"},
    }
    async with AdapterManager.from_config(overrides=config) as adapters:
        library = Library(await adapters.get("pages", DatabaseAdapter), await adapters.get("search", VectorAdapter))
        await library.open()
        pipeline = FastBlocksPipeline(await adapters.get("queue", QueueAdapter))
        seen, begun = list[str](), asyncio.Event()

        def look(block: Block, status: TaskStatus) -> None:
            if status["state"] is TaskState.RUNNING and "progress" in status and block.name.startswith("primes"):
                seen.append(f"{block.name} is at `{status['progress']['step']}`")
                begun.set()

        async with engine.worker() as worker, asyncio.TaskGroup() as tasks:
            pages = [
                tasks.create_task(publish(pipeline, library, block, list(STEPS), on_status=look, timeout=60))
                for block in blocks
            ]
            await asyncio.wait_for(begun.wait(), 30)
            yield "worker", f"process {worker.pid} renders: {seen[0]}"
            await worker.kill()
            yield "kill", "SIGKILL to the worker in the middle of it; another is started"
            async with engine.worker():
                await asyncio.gather(*pages)
        if {page.result()["name"]: page.result() for page in pages} != expected:
            raise AssertionError("The workers have made other pages than this process.")
        yield "pages", f"{await library.count()} in the library, each once, as they were rendered here"
        found = await library.search(_SEARCH, limit=1)
        yield "search", f"“{_SEARCH}” finds {found[0].page['name']} ({found[0].score:.2f})"
