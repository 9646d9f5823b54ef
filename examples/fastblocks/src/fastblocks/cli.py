"""The command `fastblocks`: render a site with the adapters that oneiric.yaml names `queue`, `pages` and `search`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from oneiric import AdapterManager, Limits, OneiricError
from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.queue import QueueAdapter
from oneiric.adapters.vector import VectorAdapter

from fastblocks.block import Block, InvalidBlock
from fastblocks.library import Library
from fastblocks.pipeline import FastBlocksPipeline
from fastblocks.publishing import publish
from fastblocks.site import read_site
from fastblocks.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oneiric.adapters.queue import TaskStatus

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

_Config = Annotated[str | None, typer.Option(help="Another file than oneiric.yaml.")]


@app.callback()
def main() -> None:
    """A block pipeline on Oneiric."""


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(help="NAME.html, each with NAME.json beside it; _NAME.html are partials.")],
    steps: Annotated[str, typer.Option(help="The steps, with commas between them.")] = ",".join(STEPS),
    config: _Config = None,
) -> None:
    """Have the workers render a folder of templates, show how far each is, and keep the pages."""
    shown = dict[str, str]()

    def show(block: Block, status: TaskStatus) -> None:
        line = _line(block, status)
        if shown.get(block.name) != line:
            shown[block.name] = line
            typer.echo(line)

    async def work(adapters: AdapterManager, library: Library) -> None:
        blocks = read_site(folder)
        pipeline = FastBlocksPipeline(await adapters.get("queue", QueueAdapter))
        pages = (publish(pipeline, library, block, steps.split(","), on_status=show) for block in blocks)
        outcomes = await asyncio.gather(*pages, return_exceptions=True)
        typer.echo(f"{await library.count()} pages in the library")
        failed = [pair for pair in zip(blocks, outcomes, strict=True) if isinstance(pair[1], BaseException)]
        for block, error in failed:
            typer.echo(f"{block.name}: {error}", err=True)
        if failed:
            raise typer.Exit(1)

    _run(work, config)


@app.command()
def search(text: str, limit: int = 5, config: _Config = None) -> None:
    """Find pages."""

    async def work(_: AdapterManager, library: Library) -> None:
        for found in await library.search(text, limit=limit):
            typer.echo(f"{found.score:.2f} {found.page['name']}: {found.page.get('text', '')[:80]}")

    _run(work, config)


def _line(block: Block, status: TaskStatus) -> str:
    progress: Any = status.get("progress")
    how_far = f": {progress['step']}, {progress['done']} of {progress['of']}" if progress else ""
    return f"{block.name}: {status['state']}{how_far}"


def _run(work: Callable[[AdapterManager, Library], Awaitable[None]], config: str | None) -> None:
    async def run() -> bool:
        # To wait for a page is a call that nobody has to wait for where a signal comes.
        limits = Limits(drain_timeout=1)
        async with AdapterManager.from_config(config, limits=limits) as adapters, adapters.until_signalled():
            library = Library(await adapters.get("pages", DatabaseAdapter), await adapters.get("search", VectorAdapter))
            await library.open()
            await work(adapters, library)
            return True
        return False  # a signal has ended the block

    try:
        is_done = asyncio.run(run())
    except (OneiricError, InvalidBlock, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    if not is_done:
        typer.echo("Error: It was ended by a signal before it was done.", err=True)
        raise typer.Exit(1)
