"""`oneiric demo --app`: the applications that plugins bring, and the run of one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any

from oneiric.errors import DiscoveryError
from oneiric.validation import nearest

from oneiric_mcp.demo.steps import Step, Stopwatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oneiric.discovery import Catalog

_log = logging.getLogger(__name__)


def installed_apps(catalog: Catalog) -> dict[str, str]:
    """The applications by name, each as `module:function`. A plugin whose hook raises brings none, and is logged."""
    apps: dict[str, str] = {}
    for implementation in catalog.hooks.hook.oneiric_demo_apps.get_hookimpls() if catalog.hooks else ():
        try:
            answer: object = implementation.function()
        except Exception as error:  # noqa: BLE001 - the others are not to be lost with it
            _log.warning("The plugin %s brings no applications: %s.", implementation.plugin_name, type(error).__name__)
            continue
        if isinstance(answer, Mapping):
            apps |= {str(name): str(path) for name, path in answer.items()}
    return apps


async def run_app(catalog: Catalog, name: str, folder: Path) -> AsyncIterator[Step]:
    """The steps of an application's demo; one that fails is the last.

    Raises DiscoveryError where no plugin brings an application of that name.
    """
    path = _path(installed_apps(catalog), name)
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


def _path(apps: dict[str, Any], name: str) -> str:
    if name in apps:
        return str(apps[name])
    near = nearest(name, apps)
    installed = ", ".join(f"`{app}`" for app in sorted(apps)) or "none"
    hint = f"Did you mean `{near[0]}`?" if near else f"Installed: {installed}."
    raise DiscoveryError(f"There is no application {name[:100]!r}.", hint=hint)
