"""The command `fastblocks`: render a site with the adapters that oneiric.yaml names `queue`, `pages` and `search`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from oneiric import AdapterManager, OneiricError
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
    from collections.abc import AsyncIterator, Coroutine

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
    _run(_render(folder, steps.split(","), config))


@app.command()
def search(text: str, limit: int = 5, config: _Config = None) -> None:
    """Find pages."""
    _run(_search(text, limit, config))


async def _render(folder: Path, steps: list[str], config: str | None) -> None:
    blocks, shown = read_site(folder), dict[str, str]()

    def show(block: Block, status: TaskStatus) -> None:
        line = _line(block, status)
        if shown.get(block.name) != line:
            shown[block.name] = line
            typer.echo(line)

    async with _opened(config) as (adapters, library):
        pipeline = FastBlocksPipeline(await adapters.get("queue", QueueAdapter))
        pages = [publish(pipeline, library, block, steps, on_status=show) for block in blocks]
        outcomes = await asyncio.gather(*pages, return_exceptions=True)
        typer.echo(f"{await library.count()} pages in the library")
    for block, outcome in zip(blocks, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            raise outcome if isinstance(outcome, OneiricError) else InvalidBlock(f"{block.name}: {outcome}")


def _line(block: Block, status: TaskStatus) -> str:
    progress: Any = status.get("progress")
    how_far = f": {progress['step']}, {progress['done']} of {progress['of']}" if progress else ""
    return f"{block.name}: {status['state']}{how_far}"


async def _search(text: str, limit: int, config: str | None) -> None:
    async with _opened(config) as (_, library):
        for found in await library.search(text, limit=limit):
            typer.echo(f"{found.score:.2f} {found.page['name']}: {found.page.get('text', '')[:80]}")


@asynccontextmanager
async def _opened(config: str | None) -> AsyncIterator[tuple[AdapterManager, Library]]:
    async with AdapterManager.from_config(config) as adapters, adapters.until_signalled():
        library = Library(await adapters.get("pages", DatabaseAdapter), await adapters.get("search", VectorAdapter))
        await library.open()
        yield adapters, library


def _run(command: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(command)
    except (OneiricError, InvalidBlock, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
