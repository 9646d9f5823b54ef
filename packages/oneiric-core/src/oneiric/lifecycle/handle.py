"""The handle of an instance: what `AdapterManager.get` gives, which stays the same when the adapter behind it is swapped.

It looks like the adapter (`isinstance` included), passes every call on to the one that is in service now, and counts the
calls that are under way. So an application may keep it, no call is lost to a swap, and a cleanup can wait for the last.
"""

from __future__ import annotations

import inspect
from functools import cache, partial, wraps
from typing import TYPE_CHECKING, Any, cast

from oneiric.adapters.base import Adapter, Health
from oneiric.adapters.lasting import lasting_of
from oneiric.lifecycle.lasting import LastingCall
from oneiric.lifecycle.spans import serving, spanned
from oneiric.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, SupportsIndex

    from oneiric.adapters.lasting import Lasting
    from oneiric.lifecycle.service import Service
    from oneiric.lifecycle.spans import Owner

_UNCOUNTED = frozenset(name for name in vars(Adapter) if not name.startswith("__"))
"""`init`, `health`, `cleanup`: the adapter's own life, which is the manager's business, is passed on as it is."""

_set_class = object.__dict__["__class__"].__set__
"""Past the property that makes a handle look like its adapter."""


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
        except BaseException as error:
            latest.hide_secrets(error)
            raise
        if name in _UNCOUNTED and inspect.iscoroutinefunction(value):
            return _uncounted(latest, value)
        if name.startswith("_") or name in _UNCOUNTED or not (inspect.isroutine(value) or isinstance(value, partial)):
            return value
        # What the adapter's own `__getattr__` gives, a method of the instance alone, or of its class.
        return _forwarder(type(latest.adapter), name, getattr(value, "__func__", value)).__get__(self)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._oneiric_owner.latest.adapter, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._oneiric_owner.latest.adapter, name)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("An adapter that an AdapterManager gave can't be copied or pickled.")

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
        name: _forwarder(adapter_class, name, value)
        for name, value in inspect.getmembers_static(adapter_class, _is_method)
        if _is_public(name) and name not in _UNCOUNTED
    }
    namespace = {"__slots__": (), "_oneiric_adapter_class": adapter_class, **forwarders}
    return type(f"{adapter_class.__name__}Handle", (Handle,), namespace)


def _is_method(value: object) -> bool:
    """Whether a class has a method by it: a function, also one that is compiled, or cached."""
    return callable(value) and hasattr(type(value), "__get__") and not isinstance(value, type | staticmethod)


def _is_public(name: str) -> bool:
    """Whether it is for the application to call: `fetch_all`, and `__len__`, which is looked up on the class alone."""
    return name not in _HANDLES_OWN if name.startswith("__") else not name.startswith("_")


def _forwarder(adapter_class: type, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    mark = lasting_of(adapter_class, name)
    if mark is not None:
        return _lasting(name, function, mark)
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
            result = await getattr(service.adapter, name)(*args, **kwargs)
            return self if result is service.adapter else result
        except BaseException as error:
            service.hide_secrets(error)
            raise
        finally:
            service.ended()

    return forward


def _lasting(name: str, function: Callable[..., Any], mark: Lasting) -> Callable[..., Any]:
    @wraps(function)
    async def forward(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
        return await LastingCall(self._oneiric_owner, name, mark, args, kwargs).result()

    @wraps(function)
    def iterate(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
        serving(self._oneiric_owner)
        return LastingCall(self._oneiric_owner, name, mark, args, kwargs).items()

    return iterate if mark.is_iterator else forward


def _call(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def forward(self: Handle, /, *args: Any, **kwargs: Any) -> Any:
        def call(service: Service) -> Any:
            service.calls += 1  # another thread may be at it
            try:
                return getattr(service.adapter, name)(*args, **kwargs)
            except BaseException as error:
                service.hide_secrets(error)
                raise
            finally:
                service.ended()

        service = serving(self._oneiric_owner)
        result = call(service)
        return self if result is service.adapter else spanned(self._oneiric_owner, service, call, result)

    return forward
