"""The move of one instance to another adapter: the copy, the config file and the swap, as one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oneiric.adapters.database import DURABLE
from oneiric.config import ConfigStore, LayerName, apply_plan, plan_change
from oneiric.errors import ConfigError

from session_buddy.copying import copy
from session_buddy.errors import MoveFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oneiric import AdapterManager
    from oneiric.config import ConfigPlan, Instance

    from session_buddy.copying import Place
    from session_buddy.gate import Gate
    from session_buddy.reflections import Reflections


Config = Mapping[str, Any]
"""Of an instance, as under its name in oneiric.yaml, and with its `adapter`."""


def config_of(instance: Instance) -> Config:
    """What an instance is configured to be."""
    return {"adapter": instance.adapter, **instance.values}


class Move:
    """One instance, the config that it has, and the one that it shall have."""

    def __init__(
        self, adapters: AdapterManager, name: str, kind: Callable[[Any], Place], before: Config, after: Config
    ) -> None:
        self.adapters = adapters
        self.name = name
        self.kind = kind
        self.before = before
        self.after = {"adapter": before["adapter"], **after}

    @property
    def is_needed(self) -> bool:
        """Whether it isn't there already."""
        return self.before != self.after

    def check(self) -> None:
        """Raises MoveFailed and ConfigError for what can't be moved, before anything is done."""
        configured = ConfigStore.load(self._path)[self.name]
        if config_of(configured) != self.before:
            raise MoveFailed(
                f"`{self.name}` is another in {self._path} than where this process has it. Start it again."
            )
        for keys, source in configured.sources.items():
            if source.layer is not LayerName.FILE:
                raise MoveFailed(
                    f"`{'.'.join(keys)}` of `{self.name}` comes from {source.location or source.layer}, which would "
                    f"hold after the move too. Set it in {self._path}."
                )
        self._plan()

    async def run(
        self,
        source: Reflections,
        gate: Gate,
        written: set[str],
        on_switch: Callable[[], None],
        on_copied: Callable[[int], None],
    ) -> None:
        """Copy, and switch: the file in the moment that no writer is at work, the adapter right after it."""

        def switch() -> None:
            self._write()
            on_switch()

        async def prepare(new: Any) -> None:
            self._check_durable(new)
            await copy(source, self.kind(new), gate, written, switch, on_copied)

        await self.adapters.swap(self.name, self.after, prepare=prepare)

    def _write(self) -> None:
        """Not awaited, so that nothing comes between this and the switch, not even a cancellation."""
        try:
            apply_plan(self._plan())
        except ConfigError:
            if (
                config_of(ConfigStore.load(self._path)[self.name]) != self.after
            ):  # it may have failed after it was written
                raise

    def _plan(self) -> ConfigPlan:
        patch = {**dict.fromkeys(self.before), **self.after}  # None takes a key out
        return plan_change(self.name, patch, self.adapters.catalog, path=self._path)

    def _check_durable(self, new: Any) -> None:
        """A store that keeps nothing would lose all with the process."""
        spec = self.adapters.catalog[self.after["adapter"]]
        if DURABLE not in spec.capabilities - new.settings.lacks():
            raise MoveFailed(f"`{self.name}` can't be moved there: what this {spec.name} keeps ends with the process.")

    @property
    def _path(self) -> Path:
        path = self.adapters.config.path
        if path is None:
            raise MoveFailed("A store that has no oneiric.yaml can't be moved: nothing would know where it is.")
        return path
