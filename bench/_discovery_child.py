"""Discover the plugins in one folder and print how many seconds that took: `_discovery_child.py ours|pluggy FOLDER COUNT`.

One process, one measurement: a second one would find every module imported.
"""

from __future__ import annotations

import sys
import time

import pluggy
from oneiric import hookspecs
from oneiric.discovery.loading import GROUP, load_plugins


def ours() -> int:
    """Load every plugin, ask each for its adapters, and keep what became of it."""
    return len(load_plugins().specs)


def pluggys() -> int:
    """Load every plugin, as pluggy does: the hook isn't called."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager.load_setuptools_entrypoints(GROUP)


if __name__ == "__main__":
    way, folder, expected = sys.argv[1:]
    sys.path.insert(0, folder)
    start = time.perf_counter()
    found = ours() if way == "ours" else pluggys()
    seconds = time.perf_counter() - start
    if found < int(expected):
        sys.exit(f"{way} found {found} of {expected}")
    print(seconds)
