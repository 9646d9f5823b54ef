"""The conformance kit: one class a contract, which an adapter's author subclasses with one fixture.

The names are imported at their first use: `oneiric` imports a module of this package at every command, and no pytest with it.
"""

import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from oneiric.testing.database.suite import DatabaseSuite
    from oneiric.testing.guard import xfail
    from oneiric.testing.messaging.suite import MessagingSuite
    from oneiric.testing.queue.suite import QueueSuite
    from oneiric.testing.suite import SUITE_LEVEL, AdapterSuite
    from oneiric.testing.vector.suite import VectorSuite

__all__ = [
    "SUITE_LEVEL",
    "AdapterSuite",
    "DatabaseSuite",
    "MessagingSuite",
    "QueueSuite",
    "VectorSuite",
    "xfail",
]

_HOMES = {
    "AdapterSuite": "suite",
    "DatabaseSuite": "database.suite",
    "MessagingSuite": "messaging.suite",
    "QueueSuite": "queue.suite",
    "SUITE_LEVEL": "suite",
    "VectorSuite": "vector.suite",
    "xfail": "guard",
}
"""The module of each public name."""

_REWRITTEN = (
    "under_test",
    "lifecycle",
    "hygiene",
    "concurrency",
    "resilience",
    "database",
    "vector",
    "queue",
    "messaging",
    "patience",
)
"""The modules, and packages of modules, whose assertions pytest is to explain as it does those of a test file."""


def _explain_assertions() -> None:
    """Tell pytest which modules are tests, before they are imported."""
    _sys.modules["pytest"].register_assert_rewrite(*(f"{__name__}.{name}" for name in _REWRITTEN))


if "pytest" in _sys.modules:
    _explain_assertions()


def __getattr__(name: str) -> _Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
