"""What everything in a new package is called."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from oneiric.discovery.catalog import TYPES
from oneiric.errors import OneiricError
from oneiric.validation import nearest

if TYPE_CHECKING:
    from oneiric.discovery import Catalog

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a new package. Raises OneiricError where one can't be, or is taken."""

    adapter: str
    """Kebab-case, as it stands in a config: `red-panda`."""
    type: str
    distribution: str
    """What pip installs: `oneiric-red-panda`."""

    def __post_init__(self) -> None:
        for what, name in (("name", self.adapter), ("type", self.type), ("distribution", self.distribution)):
            if not _KEBAB.fullmatch(name) or len(name) > _LONGEST:
                raise OneiricError(
                    f"The {what} {name[:_LONGEST]!r} can't be.",
                    hint=f"Take up to {_LONGEST} small letters, digits and single hyphens, a letter first: `red-panda`.",
                )
        if self.distribution.startswith("oneiric-oneiric-"):
            meant = self.adapter.removeprefix("oneiric-")
            raise OneiricError(
                f"{self.adapter!r} would be the adapter of the distribution {self.distribution!r}.",
                hint=f"Give the adapter's name alone: {meant!r}, of the distribution 'oneiric-{meant}'.",
            )
        if keyword.iskeyword(self.module) or self.module in sys.stdlib_module_names:
            raise OneiricError(
                f"The distribution {self.distribution!r} would be the module `{self.module}`, which is Python's own.",
                hint="Give another: --distribution oneiric-…",
            )

    @property
    def module(self) -> str:
        """What Python imports: `oneiric_red_panda`."""
        return self.distribution.replace("-", "_")

    @property
    def stem(self) -> str:
        """What its classes begin with: `RedPanda`."""
        return "".join(word.capitalize() for word in self.adapter.split("-"))

    def check_free(self, catalog: Catalog) -> None:
        """Raise OneiricError where something that is installed has the adapter's name, or that of its module."""
        for plugin in catalog.plugins:
            if self.adapter in (plugin.name, *plugin.adapters):
                raise OneiricError(
                    f"The name {self.adapter!r} is taken: {plugin.distribution} {plugin.version} is installed and has it.",
                    hint="Take another, as two plugins of one name are both refused.",
                )
        if _is_installed(self.distribution) or find_spec(self.module) is not None:
            raise OneiricError(
                f"The distribution {self.distribution!r}, or its module `{self.module}`, is installed already.",
                hint="Give another name by --distribution.",
            )

    def check_type(self, catalog: Catalog) -> None:
        """Raise OneiricError where the type is unknown, and nearly one that has a contract or an installed adapter: a slip."""
        known = {*TYPES, *(spec.type for spec in catalog)}
        near = [] if self.type in known else nearest(self.type, known)
        if near:
            raise OneiricError(
                f"No adapter is of the type {self.type!r}.",
                hint=f"Did you mean `{near[0]}`? For a type of your own, add --own-type.",
            )


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
