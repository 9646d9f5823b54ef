"""Every public method of a contract, called with arguments that are right, whatever the contract is."""

from __future__ import annotations

import inspect
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from oneiric.adapters.base import Adapter
from oneiric.adapters.queue.base import Task
from oneiric.adapters.vector.base import Record

if TYPE_CHECKING:
    from collections.abc import Iterator


async def _callback(message: object) -> None:
    """Take a message."""


_ARGUMENTS: dict[str, Any] = {
    "callback": _callback,
    "collection": "conformance",
    "columns": ["a"],
    "dimension": 3,
    "ids": ["a"],
    "message": {"a": 1},
    "messages": [{"a": 1}],
    "name": "conformance",
    "queue": "conformance",
    "records": [Record("a", [1.0, 2.0, 3.0])],
    "rows": [[1]],
    "sql": "SELECT 1",
    "table": "conformance",
    "task_id": "conformance-1",
    "task_name": "conformance.task",
    "tasks": [Task(name="conformance.task")],
    "vector": [1.0, 2.0, 3.0],
    "vectors": [[1.0, 2.0, 3.0]],
}
"""What to give for a parameter of that name, in any contract."""
_EITHER_OR = {"ids"}
"""Parameters that can be left out only where another is given."""


def methods_of(contract: type) -> list[str]:
    """The names of what a contract asks for beyond `init`, `health` and `cleanup`."""
    return sorted(getattr(contract, "__abstractmethods__", frozenset()) - Adapter.__abstractmethods__)


def takes_timeout(contract: type, method: str) -> bool:
    """Whether a method of a contract has a deadline that the caller gives."""
    member = inspect.getattr_static(contract, method)
    return callable(member) and "timeout" in inspect.signature(member).parameters


async def call(adapter: Adapter, contract: type, method: str, **options: Any) -> None:
    """Call a method of a contract, or read its property, and go as far as the first thing that it gives."""
    member = inspect.getattr_static(contract, method)
    if isinstance(member, property):
        getattr(adapter, method)
        return
    positional, named = _arguments(member)
    given = getattr(adapter, method)(*positional, **named, **options)
    if inspect.isawaitable(given):
        await given
    elif hasattr(given, "__aenter__"):
        async with given:
            return
    else:
        async with aclosing(given):
            await anext(given, None)


def _arguments(member: Any) -> tuple[list[Any], dict[str, Any]]:
    positional, named = [], {}
    for parameter in _wanted(member):
        value = _ARGUMENTS.get(parameter.name, parameter.name)
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    return positional, named


def _wanted(member: Any) -> Iterator[inspect.Parameter]:
    for parameter in list(inspect.signature(member).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is parameter.empty or parameter.name in _EITHER_OR:
            yield parameter
