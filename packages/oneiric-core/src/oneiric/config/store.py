"""The ConfigStore: the instances that an application names, from its layers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

from oneiric.config.environment import read_environment
from oneiric.config.yaml_file import find_file, read_file
from oneiric.errors import ConfigError, UnknownAdapter
from oneiric.validation import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instance:
    """One configured adapter."""

    name: str
    adapter: str
    """The name of the AdapterSpec; the instance's own name where the config doesn't say."""
    values: Mapping[str, Any] = field(repr=False)
    """The settings as configured, not validated yet. May hold secrets: not for showing."""


class ConfigStore(Mapping[str, Instance]):
    """The configured instances by name, in the order of the file. Layers, lowest first: YAML, environment, overrides."""

    def __init__(self, instances: Mapping[str, Instance], path: Path | None = None) -> None:
        self._instances = dict(instances)
        self.path = path

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> ConfigStore:
        """Read all layers. `overrides` maps instances to settings, and may name further instances.

        Raises ConfigError with the file and line; a config that is nowhere is an empty one.
        """
        file = find_file(path, environ)
        in_file = _adapters_of(read_file(file), file) if file else {}
        in_code = {name: dict(values) for name, values in (overrides or {}).items()}
        in_environment = _with_known_names(read_environment(environ), [*in_file, *in_code])
        merged = reduce(_merged, (in_file, in_environment, in_code))
        return cls({name: _instance(name, values) for name, values in merged.items()}, file)

    def __getitem__(self, name: str) -> Instance:
        try:
            return self._instances[name]
        except KeyError:
            near = " or ".join(f"`{other}`" for other in nearest(name, self._instances, n=3))
            where = str(self.path) if self.path else "oneiric.yaml"
            hint = f"Did you mean {near}?" if near else f"Name it under `adapters:` in {where}."
            raise UnknownAdapter(f"No instance {name[:100]!r} is configured.", hint=hint) from None

    def get(self, name: str, default: Any = None) -> Any:
        """The instance of that name, or `default`: the Mapping's own looks for a KeyError, which ours is not."""
        return self._instances.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._instances

    def __iter__(self) -> Iterator[str]:
        return iter(self._instances)

    def __len__(self) -> int:
        return len(self._instances)


def _adapters_of(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The `adapters:` of a file, checked to be a mapping of mappings and to have nothing beside it."""
    for key in content:
        if key != "adapters":
            raise ConfigError(f"{path}: `{str(key)[:100]}` is not a key of the config; the only one is `adapters`.")
    adapters = content.get("adapters")
    if adapters is None:
        return {}
    if not isinstance(adapters, Mapping):
        raise ConfigError(f"{path}: `adapters` should be a mapping of instances to their settings.")
    for name, values in adapters.items():
        if not isinstance(name, str):
            raise ConfigError(f"{path}: the instance name {name!r} should be a string: put it in quotes.")
        if not isinstance(values, Mapping | None):
            raise ConfigError(f"{path}: `adapters.{name}` should be a mapping of settings.")
    return {name: dict(values or {}) for name, values in adapters.items()}


def _with_known_names(layer: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A variable's name has neither `-` nor lower case: take the instance's name from the other layers where one fits."""
    known = {name.lower().replace("-", "_"): name for name in names}
    return {known.get(name, name): values for name, values in layer.items()}


def _merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """`lower` with what `upper` says put over it, key by key down to where either is no mapping."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _instance(name: str, values: Mapping[str, Any]) -> Instance:
    adapter = values.get("adapter", name)
    if not isinstance(adapter, str):
        raise ConfigError(f"`adapters.{name}.adapter` should be the name of an adapter.", adapter=name)
    return Instance(name, adapter, {key: value for key, value in values.items() if key != "adapter"})
