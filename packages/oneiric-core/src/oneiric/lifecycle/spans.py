"""A span: a context manager, iterator or awaitable that a method gives, which is one call from its begin to its end."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import AbstractContextManager, ContextDecorator
from functools import lru_cache
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from typing import NoReturn, SupportsIndex

    from oneiric.errors import NotInitialized
    from oneiric.lifecycle.service import Service

_ASYNC = ("__aenter__", "__aiter__", "__anext__", "__await__")


class Owner(Protocol):
    """Whose calls they are."""

    service: Service | None
    """The adapter that takes calls now, or None."""
    latest: Service
    """The last that did."""

    def refusal(self) -> NotInitialized:
        """The error for a call where none does."""
        ...


def serving(owner: Owner) -> Service:
    """Who takes a call now. Raises NotInitialized."""
    if owner.service is None:
        raise owner.refusal()
    return owner.service


class Span:
    """Looks like what the adapter gave, and counts its use.

    It begins at `with`, `async with`, `await` or the first item, on the adapter that is in service then, and stays on it.
    """

    def __init__(self, owner: Owner, service: Service, call: Callable[[Service], Any], spanned: Any) -> None:
        self._owner = owner
        self._service = service
        self._call = call
        self._spanned = spanned
        self._uses = 0
        self._has_begun = self._is_open = False

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What it spans, for `isinstance`."""
        return type(self._spanned)

    def __enter__(self) -> Any:
        self._begin()
        try:
            return self._spanned.__enter__()
        except BaseException as error:
            self._leave(error)
            raise

    def __exit__(self, *details: Any) -> Any:
        raised: BaseException | None = details[1]
        try:
            return self._spanned.__exit__(*details)
        except BaseException as error:
            raised = error
            raise
        finally:
            self._leave(raised)

    async def __aenter__(self) -> Any:
        self._begin()
        try:
            return await self._spanned.__aenter__()
        except BaseException as error:
            self._leave(error)
            raise

    async def __aexit__(self, *details: Any) -> Any:
        raised: BaseException | None = details[1]
        try:
            return await self._spanned.__aexit__(*details)
        except BaseException as error:
            raised = error
            raise
        finally:
            self._leave(raised)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        self._begin()
        try:
            return await self._spanned
        except BaseException as error:
            self._service.hide_secrets(error)
            raise
        finally:
            self._end()

    def __aiter__(self) -> Any:
        if hasattr(self._spanned, "__anext__"):
            return self
        return spanned(self._owner, self._service, lambda service: aiter(self._call(service)), aiter(self._spanned))

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return self._step("__anext__")

    def asend(self, value: Any) -> Coroutine[Any, Any, Any]:
        """The generator's next item, in answer to a value."""
        return self._step("asend", value)

    def athrow(self, *error: Any) -> Coroutine[Any, Any, Any]:
        """The generator's next item, in answer to an error."""
        return self._step("athrow", *error)

    async def aclose(self) -> None:
        """Close the iterator before its end."""
        try:
            await self._spanned.aclose()
        except BaseException as error:
            self._service.hide_secrets(error)
            raise
        finally:
            self._close()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("What a method of an adapter gave can't be copied or pickled.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spanned, name)

    def __del__(self) -> None:
        while self._uses:
            self._end()

    async def _step(self, name: str, *arguments: Any) -> Any:
        if not self._is_open:
            self._begin()
            self._is_open = True
        service = self._service
        service.calls += 1  # another task's step may end the iterator during this one
        try:
            return await getattr(self._spanned, name)(*arguments)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError) or inspect.isasyncgen(self._spanned):
                self._close()  # after an error, as after its last item; one with a class may outlive a cancellation
            service.hide_secrets(error)
            raise
        finally:
            service.ended()

    def _begin(self) -> None:
        if not self._has_begun:
            service = serving(self._owner)
            if service is not self._service:  # swapped since it was made
                self._service, self._spanned = service, self._call(service)
            self._has_begun = True
        self._uses += 1
        self._service.calls += 1

    def _end(self) -> None:
        self._uses -= 1
        self._service.ended()

    def _leave(self, error: BaseException | None) -> None:
        self._end()
        self._has_begun = self._uses > 0  # what is entered again begins anew
        if error is not None:
            self._service.hide_secrets(error)

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._end()


def spanned(owner: Owner, service: Service, call: Callable[[Service], Any], result: Any) -> Any:
    """What an application gets in the place of a method's result, which is counted where it is of a kind that goes on.

    `call` makes it again, on another adapter.
    """
    kind: type[object] = type(result)
    way = _way_of(kind)  # type: ignore[arg-type] # it takes object's __hash__ for the class's
    return result if way is None else way(owner, service, call, result)


@lru_cache(maxsize=1024)
def _way_of(kind: type[object]) -> Callable[[Owner, Service, Callable[[Service], Any], Any], Any] | None:
    """How such objects are counted; None for those that are nothing but a result."""
    if issubclass(kind, CoroutineType):
        return _awaited
    if issubclass(kind, asyncio.Future):
        return _followed
    is_manager = issubclass(kind, AbstractContextManager) and issubclass(kind, ContextDecorator)  # by @contextmanager
    return _span_class(kind) if is_manager or any(hasattr(kind, name) for name in _ASYNC) else None


async def _awaited(owner: Owner, made_by: Service, call: Callable[[Service], Any], result: Any) -> Any:
    """A coroutine, of a function that doesn't look like one: it is decorated."""
    service = owner.service
    if service is not made_by:
        result.close()
        service = serving(owner)
        result = call(service)
    service.calls += 1
    try:
        return await result
    except BaseException as error:
        service.hide_secrets(error)
        raise
    finally:
        service.ended()


def _followed(_: Owner, service: Service, __: Callable[[Service], Any], result: asyncio.Future[Any]) -> Any:
    service.calls += 1
    result.add_done_callback(lambda _: service.ended())
    return result


def _span_class(kind: type) -> type[Span]:
    """The class of spans of such objects, with all of their methods that Python looks up on the class alone."""
    methods = {
        name: _passed(name)
        for name in dir(kind)
        if name.startswith("__") and name not in _SPANS_OWN and inspect.isroutine(getattr(kind, name, None))
    }
    return type("Span", (Span,), methods)


_SPANS_OWN = frozenset(dir(Span)) | {"__class_getitem__"}


def _passed(name: str) -> Callable[..., Any]:
    return lambda self, *arguments: getattr(self._spanned, name)(*arguments)
