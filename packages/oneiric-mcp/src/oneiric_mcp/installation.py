"""What the server shows: the adapters installed beside it, and the config as its file is now."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from oneiric.config import ConfigStore, dotenv_of, find_file
from oneiric.discovery import Catalog, discover
from oneiric.errors import ConfigError
from oneiric.inspection import AdapterInfo, AdapterSummary, ConfigValidation, describe, summarise, validate

from oneiric_mcp.file_stamp import stamp_of

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from oneiric.config import Instance
    from oneiric.spec import AdapterSpec

_log = logging.getLogger(__name__)


class Installation:
    """The installed adapters, looked for at the first question, and the config, read again when its file has changed.

    A config that can't be read is an empty one: the server lists and explains all the same. `config_error` says why.
    """

    def __init__(self, config_path: str | os.PathLike[str] | None = None, *, catalog: Catalog | None = None) -> None:
        self.config_path = config_path
        """The config file that was named; None where the usual places are looked in."""
        self._catalog = catalog
        self._config = ConfigStore({})
        self._config_stamp: tuple[object, ...] | None = None
        self._summaries: dict[str, AdapterSummary] = {}
        self.config_error: str | None = None

    @cached_property
    def catalog(self) -> Catalog:
        """What is installed."""
        return discover() if self._catalog is None else self._catalog

    @property
    def config(self) -> ConfigStore:
        """The configured instances."""
        path = find_file(self.config_path)
        stamp = (stamp_of(path), stamp_of(dotenv_of(path)))
        if stamp != self._config_stamp:
            self._config_stamp = stamp
            self._summaries.clear()
            self._read(path)
        return self._config

    def summaries(self, adapter_type: str | None = None) -> list[AdapterSummary]:
        """Every adapter of a type, or of all, as a listing shows it. Raises UnknownAdapter: see `Catalog.of_type`."""
        config = self.config
        return [self._summary(spec, config) for spec in self.catalog.of_type(adapter_type)]

    def info(self, adapter_name: str) -> AdapterInfo:
        """One adapter, whole. Raises UnknownAdapter."""
        return describe(self.catalog[adapter_name], self.catalog, self.config)

    def validate(self, adapter_name: str, config: object) -> ConfigValidation:
        """Whether a config is right for an adapter. Raises UnknownAdapter."""
        return validate(self.catalog[adapter_name], self.catalog, config)

    def instance(self, name: str) -> Instance:
        """One configured instance. Raises UnknownAdapter, and ConfigError where the config can't be read."""
        config = self.config
        if self.config_error:
            raise ConfigError(self.config_error)
        return config[name]

    def _summary(self, spec: AdapterSpec, config: ConfigStore) -> AdapterSummary:
        # A summary changes with the config alone, and a client lists often.
        if spec.name not in self._summaries:
            self._summaries[spec.name] = summarise(spec, self.catalog, config)
        return self._summaries[spec.name]

    def _read(self, path: Path | None) -> None:
        try:
            self._config, self.config_error = ConfigStore.load(path), None
        except ConfigError as error:
            self._config, self.config_error = ConfigStore({}), str(error)
            _log.warning("The config can't be read: %s", error)
