"""What a distribution's drivers are, and whether importing a module imports one of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version

from packaging.requirements import InvalidRequirement, Requirement

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import oneiric
from importlib import import_module
before = set(sys.modules)
for module in sys.argv[2:]:
    import_module(module)
print("\\n" + json.dumps(sorted(set(sys.modules) - before)))
"""
_CORE = "oneiric-core"


def drivers_of(distribution: str) -> frozenset[str]:
    """The top-level modules of what a distribution requires, and of what that requires, beyond what Oneiric does itself."""
    drivers = _required(distribution) - _required(_CORE) - {_CORE, _normalised(distribution)}
    modules = packages_distributions()
    return frozenset(
        module for module, homes in modules.items() if homes and {_normalised(home) for home in homes} <= drivers
    )


def driver_versions(distribution: str) -> dict[str, str]:
    """The version of each distribution that this one requires beside Oneiric, of those that are installed."""
    found = {}
    for name in sorted(_requirements(distribution) - {_CORE, "pydantic"}):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@cache
def imported_by(*modules: str) -> frozenset[str]:
    """The modules that importing these, in a process of its own, imports beyond those of `import oneiric`.

    Raises ImportError, with the traceback, where they can't be imported.
    """
    command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), *modules]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    if done.returncode:
        raise ImportError(done.stderr)
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def _required(distribution: str) -> set[str]:
    """The names of all distributions that this one needs, with or without an extra, as far as they are installed."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        for name in _requirements(waiting.pop()) - found:
            found.add(name)
            waiting.append(name)
    return found


@cache
def _requirements(distribution: str) -> frozenset[str]:
    try:
        lines = requires(distribution) or []
    except PackageNotFoundError:
        return frozenset()
    return frozenset(name for line in lines if (name := _name(line)))


def _name(line: str) -> str | None:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    is_of_an_extra = requirement.marker is not None and "extra" in str(requirement.marker)
    return None if is_of_an_extra else _normalised(requirement.name)


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
