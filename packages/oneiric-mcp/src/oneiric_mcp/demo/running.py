"""`oneiric demo --app`: the run of an application."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING

from oneiric_mcp.demo.apps import installed_apps, path_of
from oneiric_mcp.demo.steps import Step, Stopwatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oneiric.discovery import Catalog


async def run_app(catalog: Catalog, name: str, folder: Path) -> AsyncIterator[Step]:
    """The steps of an application's demo; one that fails is the last.

    Raises DiscoveryError where no plugin brings an application of that name.
    """
    path = path_of(installed_apps(catalog), name)
    watch = Stopwatch(name)
    try:
        module, _, function = path.partition(":")
        async with aclosing(getattr(import_module(module), function)(folder)) as told:
            async for step, detail in told:
                yield watch.step(step, detail)
    except (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):
        raise
    except BaseException as error:  # noqa: BLE001 - an application's own mistake is a step that failed
        yield watch.step("fail", f"{type(error).__name__}: {error}", ok=False)
