"""The tasks that a worker runs: looked up among functions that were imported when it started, never imported by a name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from oneiric.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

Function = Callable[..., Any]


class UnlistedTask(LookupError):
    """A task of a name that this worker doesn't run."""


class Tasks:
    """Functions by the names under which they are submitted."""

    def __init__(self, functions: dict[str, Function]) -> None:
        self._functions = functions

    @classmethod
    def listed(cls, names: Iterable[str]) -> Tasks:
        """Those of modules (`myapp.tasks` or `myapp.tasks.*`: its public functions) and single ones (`myapp.tasks.send`).

        Raises ConfigError for what can't be imported, or is no function; a module's own error is its cause.
        """
        functions: dict[str, Function] = {}
        for name in names:
            functions |= _functions_of(name)
        return cls(functions)

    def __len__(self) -> int:
        return len(self._functions)

    def __getitem__(self, name: str | None) -> Function:
        """The function of that name. Raises UnlistedTask; nothing is imported."""
        function = self._functions.get(name or "")
        if function is None:
            raise UnlistedTask(
                f"This worker runs no task of the name {str(name)[:200]!r}: add it to `--allow` or `tasks`."
            )
        return function


def _functions_of(name: str) -> dict[str, Function]:
    path = name.removesuffix(".*")
    if _is_module(path):
        module = _imported(path)
        found = {f"{path}.{each}": function for each, function in vars(module).items() if _is_public(module, each)}
        if not found:
            raise ConfigError(f"The module `{path}` has no public function, so it has no task.")
        return found
    parent, _, attribute = path.rpartition(".")
    if path == name and parent and _is_module(parent):
        function = getattr(_imported(parent), attribute, None)
        if callable(function) and not inspect.isclass(function):
            return {name: function}
    raise ConfigError(f"`{name}` is neither a module nor a function of one.", hint="Is its folder on PYTHONPATH?")


def _is_module(path: str) -> bool:
    try:
        return find_spec(path) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _imported(path: str) -> ModuleType:
    try:
        return import_module(path)
    except Exception as error:
        raise ConfigError(f"The module `{path}` can't be imported: {type(error).__name__}: {error}") from error


def _is_public(module: ModuleType, name: str) -> bool:
    """Whether it is a function that the module itself defines: what it has imported from elsewhere is no task of its."""
    if name.startswith("_") or name not in getattr(module, "__all__", [name]):
        return False
    function = getattr(module, name, None)
    return inspect.isfunction(function) and function.__module__ == module.__name__
