"""The ConfigStore: the instances that an application names, from its layers."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

from oneiric.config.environment import dotenv_of, read_dotenv, read_environment, variable_of
from oneiric.config.layers import LayerName, Path, Source, Tree, leaves, merged, plain, sourced
from oneiric.config.yaml_file import find_file, read_file
from oneiric.errors import ConfigError, UnknownAdapter
from oneiric.validation import nearest

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Iterator

    from oneiric.config.yaml_file import YamlFile
    from oneiric.discovery import Catalog
    from oneiric.spec import AdapterSpec


@dataclass(frozen=True, slots=True)
class Instance:
    """One configured adapter."""

    name: str
    adapter: str
    """The name of the AdapterSpec; the instance's own, with `-` for `_`, where the config doesn't say."""
    values: Mapping[str, Any] = field(repr=False)
    """The settings as configured, not validated yet, references as they stand. May hold secrets: not for showing."""
    sources: Mapping[Path, Source] = field(default_factory=dict, repr=False)
    """Where each of the values comes from, by the keys that lead to it."""


def spec_of(instance: Instance, catalog: Catalog) -> AdapterSpec:
    """The spec of an instance's adapter. Raises UnknownAdapter, which names the instance, where none is installed."""
    try:
        return catalog[instance.adapter]
    except UnknownAdapter as error:
        message = f"The instance `{instance.name}` has no adapter: {error.message}"
        hint = (
            error.hint
            if ("adapter",) in instance.sources
            else f"Say which it is: `adapter: …`. {error.hint or ''}".rstrip()
        )
        raise UnknownAdapter(message, adapter=instance.name, hint=hint) from None


class ConfigStore(Mapping[str, Instance]):
    """The configured instances by name, in the order of the file.

    Layers, lowest first: YAML, `.env`, environment, overrides; the settings class's defaults lie below all of them.
    """

    def __init__(
        self,
        instances: Mapping[str, Instance],
        path: pathlib.Path | None = None,
        variables: Mapping[str, str] = os.environ,
    ) -> None:
        self._instances = dict(instances)
        self.path = path
        self.variables = variables
        """What `{$env: …}` is looked up in: the environment, and below it `.env`."""

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> ConfigStore:
        """Read all layers. `.env` is the one beside the config file, or where there is none the one in this folder.

        `overrides` maps instances to settings, and may name further instances. Raises ConfigError with the file and
        line; a config that is nowhere is an empty one.
        """
        file = find_file(path, environ)
        return cls.from_file(read_file(file) if file else None, overrides=overrides, environ=environ)

    @classmethod
    def from_file(
        cls,
        file: YamlFile | None,
        *,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> ConfigStore:
        """The layers as `load` reads them, with what a file holds or will hold."""
        path = file.path if file else None
        dotenv_path = dotenv_of(path)
        dotenv = read_dotenv(dotenv_path)
        in_file = _file_layer(file) if file else {}
        in_code = sourced(overrides or {}, lambda _: Source(LayerName.OVERRIDE))
        names = [*in_file, *in_code]
        in_dotenv = _variables_layer(dotenv, names, LayerName.DOTENV, f"{dotenv_path}: ")
        in_environment = _variables_layer(environ, names, LayerName.ENVIRONMENT)
        tree = reduce(merged, (in_file, in_dotenv, in_environment, in_code))
        instances = {name: _instance(name, branch) for name, branch in tree.items() if isinstance(branch, dict)}
        return cls(instances, path, ChainMap(dict(environ), dotenv) if dotenv else environ)

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


def _adapters_of(file: YamlFile) -> dict[str, Any]:
    """The `adapters:` of a file, checked to be a mapping of mappings and to have nothing beside it."""
    for key in file.content:
        if key != "adapters":
            where = file.locate((str(key),))
            raise ConfigError(f"{where}: `{str(key)[:100]}` is not a key of the config; the only one is `adapters`.")
    adapters = file.content.get("adapters")
    if adapters is None:
        return {}
    if not isinstance(adapters, Mapping):
        raise ConfigError(
            f"{file.locate(('adapters',))}: `adapters` should be a mapping of instances to their settings."
        )
    for name, values in adapters.items():
        if isinstance(name, str) and isinstance(values, Mapping | None):
            continue
        where = file.locate(("adapters", str(name)))
        if not isinstance(name, str):
            raise ConfigError(f"{where}: the instance name {str(name)[:100]} should be a string: put it in quotes.")
        raise ConfigError(f"{where}: `adapters.{name[:100]}` should be a mapping of settings.")
    return {name: values or {} for name, values in adapters.items()}


def _file_layer(file: YamlFile) -> Tree:
    return sourced(_adapters_of(file), lambda keys: Source(LayerName.FILE, file.locate(("adapters", *keys))))


def _variables_layer(variables: Mapping[str, str], names: Iterable[str], layer: LayerName, where: str = "") -> Tree:
    values = _with_known_names(read_environment(variables), names)
    return sourced(values, lambda keys: Source(layer, where + variable_of(keys, variables)))


def _with_known_names(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A variable's name has neither `-` nor lower case: take the instance's name from the other layers where one fits."""
    known = {name.lower().replace("-", "_"): name for name in names}
    return {known.get(name, name): value for name, value in values.items()}


def _instance(name: str, tree: Tree) -> Instance:
    values = plain(tree)
    adapter = values.pop("adapter", name.replace("_", "-"))  # in a variable's name there is no `-`
    if not isinstance(adapter, str):
        raise ConfigError(f"`adapters.{name}.adapter` should be the name of an adapter.", adapter=name)
    return Instance(name, adapter, values, {path: value.source for path, value in leaves(tree)})
