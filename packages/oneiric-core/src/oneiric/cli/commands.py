"""All commands as a group: a mistake in calling one is told without the values that were given, as one may be a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer import BadParameter
from typer.core import TyperGroup

from oneiric.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

_WrongCall: Any = BadParameter.__base__
"""Of Typer's errors that of a call which isn't right; Typer doesn't export it."""

_SHORTEST_SECRET = 3
"""Shorter values are no secrets, and striking them out of a sentence would leave none of it."""


class Commands(TyperGroup):
    """The commands of `oneiric`, those of plugins included."""

    _given: frozenset[str] = frozenset()

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Remember what was given, before it is taken apart."""
        self._given = frozenset(value for argument in args for value in _values(argument))
        return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was called; what is said of a wrong call repeats no value."""
        try:
            return super().invoke(ctx)
        except _WrongCall as error:
            if not error.message.startswith("No such command "):  # that was meant as a command's name
                error.message = without_secrets(error.message, self._given)
            raise


def _values(argument: str) -> Iterator[str]:
    """What in an argument may be a value: of `--config=x` the `x`."""
    value = argument.partition("=")[2] if argument.startswith("-") else argument
    if len(value) >= _SHORTEST_SECRET:
        yield value
