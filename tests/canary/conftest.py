"""What the canary's tests share: one world for all of them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from oneiric.discovery import discover

from .world import SITE, World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A folder with every installed adapter configured, and the leaky one beside them; this process lives in it."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.upper().startswith("ONEIRIC_")]:
            patch.delenv(variable)
        patch.syspath_prepend(str(SITE))
        made = World(tmp_path_factory.mktemp("canary"))
        catalog = discover(refresh=True)
        for spec in catalog:
            made.add(spec)
        made.add_failures(catalog["leaky"])
        made.write()
        for name, value in made.variables.items():
            patch.setenv(name, value)
        for name in ("HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, made.environment[name])
        patch.chdir(made.work)
        yield made
    discover(refresh=True)
    for name in [name for name in sys.modules if name.startswith("oneiric_leaky")]:
        del sys.modules[name]
