"""What keeps a suite whole: no test of the kit can be overridden, deleted or skipped; `@xfail(reason=…)` is the way out."""

from __future__ import annotations

import asyncio
import functools
import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

F = TypeVar("F", bound="Callable[..., Any]")

_EXCUSE = "_oneiric_excuse"
_ORIGINAL = "_oneiric_original"
_FIXED = frozenset({"capabilities", "make", "adapter"})
"""What else of the kit a subclass can't replace: it decides what is tested."""
_FIXED_BY_A_TYPE = frozenset({"contract", "probe"})
"""What the suite of a type with a contract decides; that of an author's own type brings it."""
_REFUSED_MARKS = frozenset({"skip", "skipif", "xfail"})
_LONGEST = 120.0
"""Seconds that one async test of the kit may take, whatever the adapter does."""


class KitSkip(pytest.skip.Exception):  # type: ignore[misc, name-defined]
    """A skip by the kit itself: the only kind that leaves an adapter conformant."""

    __module__ = "builtins"  # as of pytest's own, so that the report shows the reason and not a path


def skip(reason: str) -> NoReturn:
    """Skip a test, for the kit's own reasons: an undeclared capability, or a backend that has no network."""
    frame = inspect.currentframe()
    caller = frame.f_back if frame else None
    if caller is None or not _is_kits(caller.f_globals.get("__name__", "")):
        raise TypeError("Only the kit skips its tests. Where your adapter has to fail one, use `@xfail(reason=…)`.")
    raise KitSkip(reason)


def xfail(*, reason: str, only: str | None = None) -> Callable[[F], F]:
    """Say why this adapter fails a test of the kit: put it on an override of the test, whose body is never run.

    The kit's own test is run in its place and has to fail: once it passes, the excuse has to go. `only` limits it to the case
    of that id where the test has several. The reason is in the report and the passport.
    """
    if not reason.strip():
        raise TypeError("Give the reason: it is what the users of your adapter will read.")

    def mark(test: F) -> F:
        setattr(test, _EXCUSE, (reason, only))
        return test

    return mark


class Guarded(type):
    """Metaclass of the suites: it refuses what would weaken one, with a TypeError that says what to do instead.

    The async tests of the kit get their mark for pytest-asyncio and a limit of time here, whatever the author's config says.
    """

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> Guarded:
        """Make a suite, of the kit or of an author."""
        if _is_kits(namespace["__module__"]):
            return super().__new__(mcs, name, bases, _prepared(namespace), **keywords)
        cls = super().__new__(mcs, name, bases, namespace, **keywords)
        _refuse_marks(cls, namespace.get("pytestmark", ()))
        for attribute in kit_attributes(cls):
            _hold(cls, attribute)
        return cls

    def __setattr__(cls, name: str, value: object) -> None:
        """Set an attribute from outside, as a decorator of the class does; the same is refused."""
        if name in kit_attributes(cls):
            raise _refusal(cls, name)
        if name == "pytestmark":
            _refuse_marks(cls, value)
        super().__setattr__(name, value)

    def __delattr__(cls, name: str) -> None:
        """Delete an attribute from outside; the same is refused."""
        if name in kit_attributes(cls):
            raise _refusal(cls, name)
        super().__delattr__(name)


def kit_tests(suite: type) -> frozenset[str]:
    """The names of all tests that a suite has from the kit."""
    return frozenset(name for name in kit_attributes(suite) if name.startswith("test_"))


def kit_attributes(suite: type) -> frozenset[str]:
    """The names of what the suite has from the kit and can't replace."""
    kits = [cls for cls in suite.__mro__ if _is_kits(cls.__module__)]
    names = {name for cls in kits for name in vars(cls)}
    of_type = {name for cls in kits if type(cls.__base__) is Guarded for name in _FIXED_BY_A_TYPE & vars(cls).keys()}
    return frozenset(name for name in names if name.startswith("test_") or name in _FIXED | of_type)


def excuses(suite: type) -> Mapping[str, str]:
    """The reasons of a suite's `@xfail`s, by the test's name."""
    found = {name: getattr(inspect.getattr_static(suite, name), _EXCUSE, None) for name in sorted(kit_tests(suite))}
    return {name: excuse[0] for name, excuse in found.items() if excuse is not None}


def apply_excuse(request: pytest.FixtureRequest) -> None:
    """Mark the case that an `@xfail(only=…)` is of."""
    reason, only = getattr(request.function, _EXCUSE, ("", None))
    case = getattr(request.node, "callspec", None)
    if only is not None and case is not None and case.id == only:
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _is_kits(module: str) -> bool:
    return module.startswith("oneiric.testing.")


def _prepared(namespace: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _prepared_test(value) if name.startswith("test_") and _is_async(value) else value
        for name, value in namespace.items()
    }


def _prepared_test(test: Any) -> Any:
    # With its own scope: the author's config may have set another, and other ones for tests and for fixtures.
    mark = pytest.mark.asyncio(loop_scope="function")
    return mark(test if hasattr(test, "hypothesis") else _limited(test))


def _is_async(value: object) -> bool:
    return inspect.iscoroutinefunction(getattr(getattr(value, "hypothesis", None), "inner_test", value))


def _limited(test: Any) -> Any:
    @functools.wraps(test)
    async def limited(*arguments: Any, **keywords: Any) -> None:
        __tracebackhide__ = True
        limit = asyncio.timeout(_LONGEST)
        try:
            async with limit:
                await test(*arguments, **keywords)
        except TimeoutError:
            if not limit.expired():
                raise
            pytest.fail(f"This took more than {_LONGEST:.0f} s: a call of the adapter does not end.")

    return limited


def _hold(cls: type, name: str) -> None:
    """See that what the class has of that name is the kit's, or an excuse, which is replaced by the kit's test."""
    holder = next(each for each in cls.__mro__ if name in vars(each))
    if _is_kits(holder.__module__):
        return
    found = vars(holder)[name]
    reason, only = getattr(found, _EXCUSE, (None, None))
    if reason is None or not name.startswith("test_"):
        raise _refusal(cls, name)
    if not hasattr(found, _ORIGINAL):
        original = next(vars(each)[name] for each in cls.__mro__ if _is_kits(each.__module__) and name in vars(each))
        type.__setattr__(cls, name, _excused(original, reason, only))


def _excused(test: FunctionType, reason: str, only: str | None) -> FunctionType:
    """A copy of a test that has to fail: as a whole, or in the case `only`, which is marked when it is run."""
    copy: Any = FunctionType(test.__code__, test.__globals__, test.__name__, test.__defaults__, test.__closure__)
    functools.update_wrapper(copy, test)
    copy.__kwdefaults__ = test.__kwdefaults__
    marks = [*getattr(test, "pytestmark", ())]
    copy.pytestmark = marks if only else [*marks, pytest.mark.xfail(reason=reason, strict=True).mark]
    vars(copy).update({_EXCUSE: (reason, only), _ORIGINAL: test})
    excused: FunctionType = copy
    return excused


def _refuse_marks(cls: type, marks: object) -> None:
    named = {str(getattr(mark, "name", "")) for mark in (marks if isinstance(marks, list | tuple) else [marks])}
    if named & _REFUSED_MARKS:
        raise TypeError(
            f"{cls.__name__} is marked `{min(named & _REFUSED_MARKS)}`, and a suite is run whole. Override the test that your "
            'adapter fails, and put `@xfail(reason="…")` of oneiric.testing on it.'
        )


def _refusal(cls: type, name: str) -> TypeError:
    replaces = f"{cls.__name__} replaces `{name}` of the conformance kit,"
    if not name.startswith("test_"):
        return TypeError(f"{replaces} which decides what is tested.")
    return TypeError(
        f"{replaces} which is to say whether the adapter is right. Where the adapter has to fail it, override it with "
        '`@xfail(reason="…")` of oneiric.testing on top.'
    )
