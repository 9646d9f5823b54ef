"""The settings of a configured instance, for a process that needs them and not the adapter: a worker, say."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from oneiric.adapters.base import AdapterSettings
from oneiric.config.references import resolved, schemes_of
from oneiric.config.store import ConfigStore
from oneiric.discovery import discover
from oneiric.errors import ConfigError
from oneiric.validation import check

if TYPE_CHECKING:
    import os

Settings = TypeVar("Settings", bound=AdapterSettings)


def settings_of(
    name: str, adapter: str, settings_class: type[Settings], *, config: str | os.PathLike[str] | None = None
) -> Settings:
    """The settings of an instance of that adapter, its references resolved; `config` is a file in place of the one found.

    Raises UnknownAdapter where there is no such instance, ConfigError where it is another adapter's or its values are wrong,
    and UnresolvedReference. Resolving may block, for as long as a plugin's resolver does.
    """
    store = ConfigStore.load(config)
    instance = store[name]
    if instance.adapter != adapter:
        raise ConfigError(f"The instance `{name}` is of the adapter `{instance.adapter}`, and not of `{adapter}`.")
    values = resolved(instance.values, schemes_of(discover().hooks, store.variables))
    settings, problems = check(settings_class, values)
    if settings is None:
        raise ConfigError(f"The settings of `{name}` can't be used.", problems=problems)
    return settings
