"""The applications that plugins bring for `oneiric demo --app`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from oneiric.errors import DiscoveryError
from oneiric.validation import nearest

if TYPE_CHECKING:
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


def path_of(apps: Mapping[str, str], name: str) -> str:
    """The `module:function` of an application. Raises DiscoveryError, with the nearest name, where there is none."""
    if name in apps:
        return apps[name]
    near = nearest(name, apps)
    installed = ", ".join(f"`{app}`" for app in sorted(apps)) or "none"
    hint = f"Did you mean `{near[0]}`?" if near else f"Installed: {installed}."
    raise DiscoveryError(f"There is no application {name[:100]!r}.", hint=hint)
