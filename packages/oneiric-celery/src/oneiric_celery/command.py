"""`oneiric-celery`: start a worker."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from oneiric.config import settings_of
from oneiric.embedded import Member, is_embedded, join
from oneiric.embedded.valkey import ValkeyEngine
from oneiric.errors import OneiricError

from oneiric_celery.homes import Homes
from oneiric_celery.settings import CelerySettings
from oneiric_celery.urls import server

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

_AN_HOUR = 3600.0
_members: list[Member] = []

_Instance = Annotated[
    str | None,
    typer.Option(help="The instance of oneiric.yaml whose broker, results, TLS and visibility timeout it uses."),
]
_Config = Annotated[str | None, typer.Option(help="Another file than oneiric.yaml.")]
_Broker = Annotated[
    str | None,
    typer.Option(envvar="ONEIRIC_CELERY_BROKER", help="The broker's URL, if not the application's or an instance's."),
]
_Backend = Annotated[
    str | None,
    typer.Option(
        envvar="ONEIRIC_CELERY_RESULT_BACKEND",
        help="The result backend's URL; the broker's, where that is given alone.",
    ),
]
_Visibility = Annotated[
    float | None,
    typer.Option(
        help="After how many seconds Redis gives the task of a lost worker to another; no task may take longer. An hour, "
        "without."
    ),
]


@app.callback()
def _about() -> None:
    """Celery workers for Oneiric."""


@app.command()
def worker(
    application: Annotated[str, typer.Argument(help="The Celery application: `module:name`.")],
    queues: Annotated[
        str | None, typer.Option("--queues", "-Q", help="The queues to serve, with commas between them.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", "-c", help="How many tasks at once; as many as there are processors, without."),
    ] = None,
    pool: Annotated[
        str, typer.Option("--pool", "-P", help="`prefork`, `threads` or `solo`; only prefork can stop a task.")
    ] = "prefork",
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="The worker's name, which may hold `%h` for the host's.")
    ] = None,
    instance: _Instance = None,
    config: _Config = None,
    broker: _Broker = None,
    result_backend: _Backend = None,
    visibility_timeout: _Visibility = None,
    log_level: Annotated[str, typer.Option(help="`debug`, `info`, `warning` or `error`.")] = "info",
) -> None:
    """Run Celery's own worker, with settings that lose no task: JSON only, late acknowledgement, tracked states."""
    celery = _application(application)
    if instance is not None:
        if broker is not None or result_backend is not None:
            raise typer.BadParameter("Say --instance, or --broker and --result-backend.")
        settings = _configure(celery, instance, config)
        visibility_timeout = settings.visibility_timeout if visibility_timeout is None else visibility_timeout
    elif broker is not None:
        celery.conf.update(broker_url=_reached(broker), result_backend=_reached(result_backend or broker))
    elif result_backend is not None:
        celery.conf.update(result_backend=_reached(result_backend))
    # Imported here: `--help` needs no Celery.
    from oneiric_celery.worker import prepare

    prepare(celery, visibility_timeout=visibility_timeout or _AN_HOUR)
    running = celery.Worker(
        hostname=name,
        queues=queues,
        concurrency=concurrency,
        pool=pool,
        loglevel=log_level,
        optimization="fair",
    )
    running.start()
    raise typer.Exit(running.exitcode or 0)


def _configure(celery: Any, instance: str, config: str | None) -> CelerySettings:
    """Give the application what the adapter of that instance has. What is embedded is joined, as below."""
    # Imported here: `--help` needs no Celery.
    from oneiric_celery.application import tls_options

    try:
        settings = settings_of(instance, "celery", CelerySettings, config=config)
        homes = asyncio.run(Homes.enter(settings.broker, settings.backend, settings.timeout))
    except OneiricError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    _members.extend(homes.members)
    celery.conf.update(
        broker_url=homes.broker.celery_url,
        broker_use_ssl=tls_options(settings, homes.broker),
        result_backend=homes.backend.celery_url,
        redis_backend_use_ssl=tls_options(settings, homes.backend) or None,
        result_expires=settings.result_expires,
        task_default_queue=settings.queue,
        task_queue_max_priority=settings.queue_max_priority,
    )
    if homes.broker.is_redis:
        celery.conf.broker_transport_options = {"priority_steps": list(settings.priority_steps)}
    return settings


def _reached(url: str) -> str:
    """The URL as Celery takes it. An embedded server is joined for as long as this process lives, and those of its pool."""
    try:
        if is_embedded(url):
            _members.append(asyncio.run(join(url, ValkeyEngine("oneiric-celery"))))
            url = _members[-1].url
        return server(url).celery_url if url.startswith("unix:") else url
    except (OneiricError, ValueError) as error:
        raise typer.BadParameter(f"The URL can't be used: {error}") from None


def _application(path: str) -> Any:
    """Import an application by `module:name`, from the working directory too, as `celery -A` does."""
    module, _, name = path.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), name or "app")
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise
        raise typer.BadParameter(f"There is no module {module} here or among what is installed.") from None
    except AttributeError:
        raise typer.BadParameter(f"{module} has no {name or 'app'}.") from None
    if not hasattr(found, "conf") or not hasattr(found, "Worker"):
        raise typer.BadParameter(f"{path} is no Celery application.")
    return found
