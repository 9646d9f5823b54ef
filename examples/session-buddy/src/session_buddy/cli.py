"""The command `session-buddy`, on the instances `reflections` and `memory` of oneiric.yaml."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from oneiric import AdapterManager, OneiricError

from session_buddy.buddy import SessionBuddy
from session_buddy.errors import StoreError
from session_buddy.reflection import InvalidReflection, Reflection
from session_buddy.service import configs_of
from session_buddy.service import serve as serve_lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

_Config = Annotated[str | None, typer.Option(help="Another file than oneiric.yaml.")]
_Tags = Annotated[list[str] | None, typer.Option("--tag", help="May be repeated.")]


@app.callback()
def main() -> None:
    """Reflections on sessions, kept and found again."""


@app.command()
def save(text: str, tag: _Tags = None, config: _Config = None) -> None:
    """Keep a reflection."""

    async def work(buddy: SessionBuddy) -> None:
        typer.echo((await buddy.save(text, tag or ())).id)

    _run(work, config)


@app.command()
def search(text: str, tag: _Tags = None, limit: int = 5, config: _Config = None) -> None:
    """Find reflections."""

    async def work(buddy: SessionBuddy) -> None:
        for found in await buddy.search(text, tags=tag or (), limit=limit):
            typer.echo(f"{found.score:.2f} {_line(found.reflection)}")

    _run(work, config)


@app.command()
def latest(limit: int = 10, config: _Config = None) -> None:
    """Show the youngest reflections."""

    async def work(buddy: SessionBuddy) -> None:
        for reflection in await buddy.latest(limit):
            typer.echo(_line(reflection))

    _run(work, config)


@app.command()
def move(
    to: Annotated[str, typer.Argument(help="A file as oneiric.yaml, with the new config of one or both instances.")],
    config: _Config = None,
) -> None:
    """Go over to other adapters, with all reflections; oneiric.yaml is changed. May be done again where it was killed."""

    async def work(buddy: SessionBuddy) -> None:
        for name in await buddy.move(configs_of(to, buddy)):
            typer.echo(f"{name} was moved: {await buddy.count()} reflections")

    _run(work, config)


@app.command()
def serve(config: _Config = None) -> None:
    """Answer requests, a line of JSON each, on standard input: save, search, latest, count and move."""
    _run(serve_lines, config, until_told=True)


def _line(reflection: Reflection) -> str:
    time = datetime.fromtimestamp(reflection.created_at, UTC).isoformat(timespec="seconds")
    return " ".join([time, reflection.text, *(f"#{tag}" for tag in reflection.tags)])


def _run(work: Callable[[SessionBuddy], Awaitable[None]], config: str | None, *, until_told: bool = False) -> None:
    """`until_told` is for what SIGTERM ends as it should; anything else has not done then what it was told to."""

    async def run() -> bool:
        async with (
            AdapterManager.from_config(config) as adapters,
            adapters.until_signalled(),
            SessionBuddy(adapters) as buddy,
        ):
            await work(buddy)
            return True
        return until_told

    try:
        is_done = asyncio.run(run())
    except (OneiricError, StoreError, InvalidReflection) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    if not is_done:
        typer.echo("Error: It was ended by a signal before it was done.", err=True)
        raise typer.Exit(1)
