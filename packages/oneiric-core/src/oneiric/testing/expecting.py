"""Expecting one of Oneiric's errors, with a sentence for the author where something else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import pytest

from oneiric.errors import OneiricError

if TYPE_CHECKING:
    from types import TracebackType

E = TypeVar("E", bound=OneiricError)


class Expected(Generic[E]):
    """`with expect(QueryError, "a statement that is empty"):` fails where the block raises nothing, or something else.

    `error` is what was raised, afterwards.
    """

    error: E

    def __init__(self, kinds: tuple[type[E], ...], what: str) -> None:
        self._kinds = kinds
        self._what = what

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        __tracebackhide__ = True
        wanted = " or ".join(each.__name__ for each in self._kinds)
        if error is None:
            pytest.fail(f"The contract asks for {wanted} for {self._what}, and nothing was raised.")
        if isinstance(error, self._kinds):
            if error.adapter is None:
                pytest.fail(
                    f"The {type(error).__name__} for {self._what} doesn't name its adapter: pass `adapter=self.name`."
                )
            self.error = error
            return True
        if isinstance(error, Exception):
            pytest.fail(f"The contract asks for {wanted} for {self._what}, not {type(error).__name__}: {error}")
        return False


def expect(kind: type[E] | tuple[type[E], ...], what: str) -> Expected[E]:
    """Expect an error of a kind, or of one of several, for what the sentence says."""
    return Expected(kind if isinstance(kind, tuple) else (kind,), what)


def by_name(cases: dict[str, Any]) -> pytest.MarkDecorator:
    """Run a test once for each of the hostile data, as `case`, named as they are."""
    return pytest.mark.parametrize("case", [*cases.values()], ids=[*cases])
