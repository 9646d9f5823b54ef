"""The command `oneiric-messages`: dead letters of `redis-streams`, looked at, given again and removed."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from oneiric.errors import ConfigError, OneiricError
from oneiric.lifecycle import AdapterManager

from oneiric_redis_pubsub.streams.adapter import RedisStreamAdapter
from oneiric_redis_pubsub.streams.letters import Letters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from oneiric_redis_pubsub.streams.letters import Letter

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Messages on Redis Streams.")
dead = typer.Typer(no_args_is_help=True, help="Dead letters: messages that were put aside.")
app.add_typer(dead, name="dead")

Queue = Annotated[str, typer.Argument(help="The queue that the messages were published to.")]
Instance = Annotated[str, typer.Option("--instance", help="The instance in the config whose messages they are.")]
Config = Annotated[Path | None, typer.Option("--config", help="The config file; otherwise it is looked for.")]
Url = Annotated[str | None, typer.Option("--url", help="The server, without a config; keys begin with `oneiric:`.")]
Group = Annotated[str | None, typer.Option("--group", help="The group they were put aside for; else the default.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="One letter, by its id in `list`; may be repeated.")]
All = Annotated[bool, typer.Option("--all", help="All letters.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many, the oldest first.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@dead.command("list")
def list_letters(
    queue: Queue,
    instance: Instance = "redis-streams",
    config: Config = None,
    url: Url = None,
    group: Group = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters with their errors; with --json also their messages, and what became of each delivery."""
    letters: list[Letter] = _done(instance, config, url, queue, group, lambda them: them.oldest(limit))
    if as_json:
        print(json.dumps([_described(each) for each in letters], indent=2, ensure_ascii=False))
        return
    for each in letters:
        message = each.letter.message
        print(f"{each.id}  message {message.id}, given {message.delivery_count} times  {_line(each.letter.error)}")
    if not letters:
        print("There are no dead letters.")


def _add_command(name: str, done: str, work: Callable[[Letters, list[str] | None], Awaitable[int]], what: str) -> None:
    """Add a command that does something with letters, all or those that are named, and says with how many it is done."""

    @dead.command(name, help=what)
    def command(
        queue: Queue,
        instance: Instance = "redis-streams",
        config: Config = None,
        url: Url = None,
        group: Group = None,
        ids: Ids = None,
        every: All = False,
        as_json: AsJson = False,
    ) -> None:
        if bool(ids) == every:
            raise typer.BadParameter("Say which: --all, or --id once or more.")
        count = _done(instance, config, url, queue, group, lambda letters: work(letters, ids or None))
        print(json.dumps({done: count}) if as_json else f"{count} {done}.")


_add_command(
    "replay",
    "replayed",
    Letters.replay,
    "Give dead letters to their group again, as if they were new, and to no other group.",
)
_add_command("purge", "purged", Letters.purge, "Remove dead letters for good.")


def main() -> None:
    """Run the command."""
    app()


def _done(
    instance: str,
    config: Path | None,
    url: str | None,
    queue: str,
    group: str | None,
    work: Callable[[Letters], Awaitable[Any]],
) -> Any:
    """What the work on a queue's letters gives; an error of ours is told, and ends the command with 1."""

    async def do() -> Any:
        async with _bus(instance, config, url) as bus:
            return await work(bus.letters(queue, group))

    try:
        return asyncio.run(do())
    except OneiricError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None


@asynccontextmanager
async def _bus(instance: str, config: Path | None, url: str | None) -> AsyncIterator[RedisStreamAdapter]:
    if url is not None:
        async with RedisStreamAdapter({"url": url}) as bus:
            yield bus
        return
    async with AdapterManager.from_config(config) as adapters:
        found = await adapters.get(instance)
        if not isinstance(found, RedisStreamAdapter):
            raise ConfigError(f"The instance `{instance}` is not of the adapter `redis-streams`.")
        yield found


def _line(error: str) -> str:
    """An error on one line that a terminal can show."""
    text = "".join(character if character.isprintable() else " " for character in error)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _described(letter: Letter) -> dict[str, Any]:
    message = letter.letter.message
    return {
        "id": letter.id,
        "message": {
            "id": message.id,
            "queue": message.queue,
            "published_at": message.published_at.isoformat() if message.published_at else None,
            "delivery_count": message.delivery_count,
            "key": message.key,
            "headers": dict(message.headers),
            "body": dict(message.body),
        },
        "error": letter.letter.error,
        "history": letter.history,
    }
