"""The mark of a call that lasts as long as its adapter does: a consumer of messages, a subscription."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_MARK = "__oneiric_lasting__"

Method = TypeVar("Method", bound=Callable[..., Any])

Between = Callable[..., Awaitable[None]]
"""Awaited with a datetime (in UTC) and the call's arguments."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """What a contract says of such calls."""

    between: Between | None
    is_iterator: bool
    """Whether what is called gives an async generator; else it is awaited."""


def lasting(between: Between | None = None) -> Callable[[Method], Method]:
    """Mark a method of a contract whose calls last until they are cancelled or their adapter is cleaned up.

    The cleanup ends such a call, which finishes what it has begun and returns, or as an async generator stops. So an
    AdapterManager doesn't wait for it before the cleanup. Where the adapter was swapped for another, the manager then makes
    the call again on that one, with the same arguments, and who has made it sees nothing of it; before that it awaits
    `between`, with when the other adapter took over, and those arguments.

    An adapter's own method, which overrides the contract's, needs no mark.
    """

    def mark(method: Method) -> Method:
        setattr(method, _MARK, Lasting(between, is_iterator=not inspect.iscoroutinefunction(method)))
        return method

    return mark


def lasting_of(adapter_class: type, name: str) -> Lasting | None:
    """What is said of the calls of a method: by the class, or by a contract that it fulfils."""
    marks = (getattr(vars(each).get(name), _MARK, None) for each in adapter_class.__mro__)
    return next(filter(None, marks), None)
