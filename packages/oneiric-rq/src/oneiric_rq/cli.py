"""The command `oneiric-rq`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer
from oneiric.config import settings_of
from oneiric.errors import ConfigError, OneiricError
from oneiric.validation import check

from oneiric_rq.settings import RedisQueueSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oneiric_rq.worker.worker import ListedWorker

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Task queues of RQ, with Oneiric's settings."""


@app.command()
def worker(
    queues: Annotated[list[str] | None, typer.Argument(help="The queues to serve, the first one first.")] = None,
    *,
    instance: Annotated[str, typer.Option(help="The instance of oneiric.yaml that has the settings.")] = "rq",
    config: Annotated[str | None, typer.Option(help="Another file than oneiric.yaml.")] = None,
    url: Annotated[str | None, typer.Option(help="The broker, in place of an instance.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="A module whose public functions are tasks, or one function; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The worker's name.")] = None,
    recover_after: Annotated[
        int, typer.Option(min=3, help="Seconds after which the task of a worker that was killed is given back.")
    ] = 60,
    burst: Annotated[bool, typer.Option("--burst", help="End when the queues are empty.")] = False,
    log_level: Annotated[str, typer.Option(help="Of the worker's log.")] = "INFO",
) -> None:
    """Run a worker: JSON alone, listed tasks alone, with the scheduler that tasks for later need."""
    sys.path.insert(0, "")  # as with `python -m`: an application's tasks are mostly where it is started
    try:
        settings = _settings(instance, config, url)
        with _worker(settings, queues or [settings.queue], allow or settings.tasks, name, recover_after) as listed:
            listed.work(burst=burst, logging_level=log_level, with_scheduler=True)
    except OneiricError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None


@app.command()
def schedule(
    *,
    instance: Annotated[str, typer.Option(help="The instance of oneiric.yaml that has the settings.")] = "rq",
    config: Annotated[str | None, typer.Option(help="Another file than oneiric.yaml.")] = None,
) -> None:
    """Submit the tasks of the setting `schedule` at their times; any number may run, each task is submitted once."""
    try:
        settings = _settings(instance, config, None)
        if not settings.schedule:
            raise ConfigError(f"The instance `{instance}` has no `schedule`.")
        with suppress(KeyboardInterrupt):
            asyncio.run(_scheduled(settings, instance))
    except OneiricError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None


async def _scheduled(settings: RedisQueueSettings, name: str) -> None:
    # Imported here: `oneiric-rq --help` is to do without the driver.
    from oneiric_rq.adapter import RedisQueueAdapter

    adapter = RedisQueueAdapter(settings)
    adapter.name = name
    async with adapter:
        try:
            await adapter.run_schedule()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None


@contextmanager
def _worker(
    settings: RedisQueueSettings, queues: Sequence[str], allow: Sequence[str], name: str | None, recover_after: int
) -> Iterator[ListedWorker]:
    # Imported here: `oneiric-rq --help` is to do without the driver.
    from oneiric_rq.worker.broker import client, reached, translating
    from oneiric_rq.worker.tasks import Tasks
    from oneiric_rq.worker.worker import ListedWorker

    if not allow:
        raise ConfigError("No task is listed.", hint="Name a module with `--allow`, or in the setting `tasks`.")
    tasks = Tasks.listed(allow)
    with reached(settings) as address:
        with translating():
            listed = ListedWorker(queues, tasks, client(address, settings), recover_after=recover_after, name=name)
        yield listed


def _settings(instance: str, config: str | None, url: str | None) -> RedisQueueSettings:
    if url is None:
        return settings_of(instance, "rq", RedisQueueSettings, config=config)
    settings, problems = check(RedisQueueSettings, {"url": url})
    if settings is None:
        raise ConfigError("The URL can't be used.", problems=problems)
    return settings
