"""The Catalog: every plugin and what became of it, and the spec of every adapter that can be used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from oneiric.discovery.availability import is_installed, why_unavailable
from oneiric.discovery.loading import load_plugins
from oneiric.discovery.plugins import Plugin, PluginStatus
from oneiric.errors import UnknownAdapter
from oneiric.validation import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pluggy

    from oneiric.errors import AdapterUnavailable
    from oneiric.spec import AdapterSpec


TYPES = frozenset({"database", "vector", "queue", "messaging"})
"""The types that have a contract; a plugin may bring others."""


class Catalog:
    """What is installed, at one moment. Iterating gives the specs in the order of their names."""

    def __init__(
        self,
        specs: Iterable[AdapterSpec],
        plugins: Iterable[Plugin] = (),
        hooks: pluggy.PluginManager | None = None,
    ) -> None:
        self.plugins = tuple(plugins)
        self.hooks = hooks
        self._specs = {spec.name: spec for spec in specs}
        self._unavailable: dict[str, AdapterUnavailable | None] = {}

    def __iter__(self) -> Iterator[AdapterSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __getitem__(self, name: str) -> AdapterSpec:
        """The spec of that name. Raises UnknownAdapter, with the nearest names or with the plugins that collided."""
        spec = self._specs.get(name)
        if spec is None:
            raise self._unknown(name)
        return spec

    def of_type(self, adapter_type: str | None) -> list[AdapterSpec]:
        """The specs of one type, or all where None.

        Of a type that has a contract here there may be none. Raises UnknownAdapter for another that none is of.
        """
        if adapter_type is None:
            return list(self)
        if adapter_type not in self.types | TYPES:
            types = ", ".join(sorted(self.types)) or "none"
            raise UnknownAdapter(
                f"No installed adapter is of type {adapter_type[:100]!r}.", hint=f"Installed types: {types}."
            )
        return [spec for spec in self if spec.type == adapter_type]

    @cached_property
    def types(self) -> frozenset[str]:
        """The types of the installed adapters."""
        return frozenset(spec.type for spec in self)

    def why_unavailable(self, spec: AdapterSpec) -> AdapterUnavailable | None:
        """Why the adapter's class can't be imported, or None where it can as far as is known without importing it."""
        if spec.name not in self._unavailable:
            self._unavailable[spec.name] = why_unavailable(spec)
        return self._unavailable[spec.name]

    @property
    def troubled(self) -> list[Plugin]:
        """The plugins that failed or collided."""
        return [plugin for plugin in self.plugins if plugin.status in (PluginStatus.FAILED, PluginStatus.COLLIDED)]

    def _unknown(self, name: str) -> UnknownAdapter:
        for plugin in self.plugins:
            if name in plugin.adapters or (name == plugin.name and plugin.status is not PluginStatus.LOADED):
                return UnknownAdapter(
                    f"The adapter `{name}` is not available: {plugin.reason}", hint=plugin.hint, adapter=name
                )
        near = " or ".join(f"`{other}`" for other in nearest(name, self._specs, n=3))
        installed = ", ".join(f"`{other}`" for other in self._specs) or "none"
        hint = f"Did you mean {near}?" if near else f"Installed: {installed}."
        return UnknownAdapter(f"There is no adapter {name[:100]!r}.", hint=hint)


_memo: list[Catalog] = []


def discover(*, refresh: bool = False) -> Catalog:
    """What is installed. Looked for at the first call and remembered in the process; `refresh` looks again.

    Raises nothing for what a plugin does wrong: see `Catalog.plugins`.
    """
    if refresh or not _memo:
        loaded = load_plugins()
        is_installed.cache_clear()
        _memo[:] = [Catalog(loaded.specs.values(), loaded.plugins, loaded.hooks)]
    return _memo[0]
