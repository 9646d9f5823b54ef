"""The handle of an instance: what `AdapterManager.get` gives, which stays the same when the adapter behind it is swapped.

It looks like the adapter (`isinstance` included), passes every call on to the one that is in service now, and counts the
calls that are under way. So an application may keep it, no call is lost to a swap, and a cleanup can wait for the last.
"""

from __future__ import annotations

import inspect
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Protocol, cast

from oneiric.adapters.base import Adapter, Health
from oneiric.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from oneiric.errors import NotInitialized
    from oneiric.lifecycle.service import Service

_UNCOUNTED = frozenset(name for name in vars(Adapter) if not name.startswith("__"))
"""`init`, `health`, `cleanup`: the adapter's own life, which is the manager's business, is passed on as it is."""

_set_class = object.__dict__["__class__"].__set__
"""Past the property that makes a handle look like its adapter."""


class Owner(Protocol):
    """Whose handle it is."""

    service: Service | None
    """The adapter that takes calls now, or None."""
    latest: Service
    """The last that did."""

    def refusal(self) -> NotInitialized:
        """The error for a call where none does."""
        ...


class Handle:
    """Passes everything on to the adapter that is in service. The methods of its adapter's class are added below."""

    __slots__ = ("__weakref__", "_oneiric_owner")
    _oneiric_owner: Owner
    _oneiric_adapter_class: type[Adapter]

    def __init__(self, owner: Owner) -> None:
        object.__setattr__(self, "_oneiric_owner", owner)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The adapter's, for `isinstance`."""
        return type(self)._oneiric_adapter_class  # noqa: SLF001 - its own

    async def __aenter__(self) -> Handle:
        return self

    async def __aexit__(self, *details: object) -> None:
        """Nothing: it is the manager who cleans up."""

    def __getattr__(self, name: str) -> Any:
        latest = self._oneiric_owner.latest
        try:
            value = getattr(latest.adapter, name)
        except Exception as error:
            latest.hide_secrets(error)
            raise
        if name in _UNCOUNTED and inspect.iscoroutinefunction(value):
            return _uncounted(latest, value)
        if name.startswith("_") or name in _UNCOUNTED or not inspect.ismethod(value):
            return value
        return _forwarder(name, value.__func__).__get__(self)  # of an adapter of another class than the first

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._oneiric_owner.latest.adapter, name, value)

    def __repr__(self) -> str:
        latest = self._oneiric_owner.latest
        return without_secrets(repr(latest.adapter), latest.secrets)


_HANDLES_OWN = frozenset(dir(Handle)) | {"__init__", "__eq__", "__hash__", "__del__"}


def make_handle(owner: Owner, adapter_class: type[Adapter]) -> Adapter:
    """A handle for adapters of a class."""
    return cast("Adapter", _handle_class(adapter_class)(owner))


def turn_handle(handle: Adapter, adapter_class: type[Adapter]) -> None:
    """Give a handle the methods of another class of adapters, where it now passes on to one of these."""
    _set_class(handle, _handle_class(adapter_class))


@cache
def _handle_class(adapter_class: type[Adapter]) -> type[Handle]:
    # Written out once a class: to look each method up at each call would cost more than all the rest.
    forwarders = {
        name: _forwarder(name, value)
        for name, value in inspect.getmembers_static(adapter_class, inspect.isfunction)
        if _is_public(name) and name not in _UNCOUNTED
    }
    namespace = {"__slots__": (), "_oneiric_adapter_class": adapter_class, **forwarders}
    return type(f"{adapter_class.__name__}Handle", (Handle,), namespace)


def _is_public(name: str) -> bool:
    """Whether it is for the application to call: `fetch_all`, and `__len__`, which is looked up on the class alone."""
    return name not in _HANDLES_OWN if name.startswith("__") else not name.startswith("_")


def _forwarder(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return _coroutine(name, function) if inspect.iscoroutinefunction(function) else _call(name, function)


def _uncounted(service: Service, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            answer = await method(*args, **kwargs)
        except BaseException as error:
            service.hide_secrets(error)
            raise
        return service.shown(answer) if isinstance(answer, Health) else answer

    return call


def _coroutine(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def forward(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
        service = self._oneiric_owner.service
        if service is None:
            raise self._oneiric_owner.refusal()
        service.calls += 1
        try:
            return await getattr(service.adapter, name)(*args, **kwargs)
        except BaseException as error:
            service.hide_secrets(error)
            raise
        finally:
            service.ended()

    return forward


def _call(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def forward(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
        service = _serving(self._oneiric_owner)

        def call(current: Service) -> Any:
            try:
                return getattr(current.adapter, name)(*args, **kwargs)
            except Exception as error:
                current.hide_secrets(error)
                raise

        result = call(service)
        kind = type(result)
        if hasattr(kind, "__aenter__") or hasattr(kind, "__anext__"):
            return _Span(self._oneiric_owner, service, call, result)
        return _counted(service, result) if inspect.iscoroutine(result) else result

    return forward


async def _counted(service: Service, call: Coroutine[Any, Any, Any]) -> Any:
    service.calls += 1
    try:
        return await call
    except BaseException as error:
        service.hide_secrets(error)
        raise
    finally:
        service.ended()


class _Span:
    """A context manager or iterator of an adapter's (a transaction, a stream): one call, from its begin to its end.

    It begins at `async with` or the first item, on the adapter that is in service then.
    """

    def __init__(self, owner: Owner, service: Service, call: Callable[[Service], Any], spanned: Any) -> None:
        self._owner = owner
        self._service = service
        self._call = call
        self._spanned = spanned
        self._is_under_way = False

    async def __aenter__(self) -> Any:
        self._begin()
        try:
            return await self._spanned.__aenter__()
        except BaseException as error:
            self._end(error)
            raise

    async def __aexit__(self, *details: Any) -> Any:
        raised: BaseException | None = details[1]
        try:
            return await self._spanned.__aexit__(*details)
        except BaseException as error:
            raised = error
            raise
        finally:
            self._end(raised)

    def __aiter__(self) -> _Span:
        return self

    async def __anext__(self) -> Any:
        self._begin()
        try:
            return await self._spanned.__anext__()
        except BaseException as error:  # after any error, as after its last item, an iterator is at its end
            self._end(error)
            raise

    async def aclose(self) -> None:
        """Close the iterator before its end."""
        try:
            await self._spanned.aclose()
        except BaseException as error:
            self._end(error)
            raise
        self._end()

    def __await__(self) -> Generator[Any, Any, Any]:
        return cast("Generator[Any, Any, Any]", self._spanned.__await__())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spanned, name)

    def __del__(self) -> None:
        self._end()

    def _begin(self) -> None:
        if self._is_under_way:
            return
        service = _serving(self._owner)
        if service is not self._service:  # swapped since it was made
            self._service, self._spanned = service, self._call(service)
        service.calls += 1
        self._is_under_way = True

    def _end(self, error: BaseException | None = None) -> None:
        if self._is_under_way:
            self._is_under_way = False
            self._service.ended()
        if error is not None:
            self._service.hide_secrets(error)


def _serving(owner: Owner) -> Service:
    if owner.service is None:
        raise owner.refusal()
    return owner.service
