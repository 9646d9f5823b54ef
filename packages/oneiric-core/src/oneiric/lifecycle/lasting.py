"""A call that lasts as long as its adapter: a cleanup ends it, and after a swap it goes on on the next adapter."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from oneiric.lifecycle.spans import serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from oneiric.adapters.lasting import Lasting
    from oneiric.lifecycle.service import Service
    from oneiric.lifecycle.spans import Owner


class LastingCall:
    """One call of a method that its contract marks as lasting."""

    def __init__(
        self, owner: Owner, name: str, mark: Lasting, arguments: tuple[Any, ...], options: Mapping[str, Any]
    ) -> None:
        self._owner = owner
        self._name = name
        self._between = mark.between
        self._arguments = arguments
        self._options = options

    async def result(self) -> Any:
        """What it returns in the end."""
        service: Service | None = serving(self._owner)
        result = None
        while service is not None:
            service.lasting += 1  # only so that its cleanup is given time: no drain waits for it
            try:
                result = await self._made(service)
            except BaseException as error:
                service.hide_secrets(error)
                raise
            finally:
                service.lasting -= 1
            service = await self._next(service)
        return result

    async def items(self) -> AsyncGenerator[Any]:
        """What it gives, one after the other."""
        service: Service | None = serving(self._owner)
        while service is not None:
            try:
                async with aclosing(self._made(service)) as items:
                    async for item in items:
                        yield item
            except BaseException as error:
                service.hide_secrets(error)
                raise
            service = await self._next(service)

    def _made(self, service: Service) -> Any:
        return getattr(service.adapter, self._name)(*self._arguments, **self._options)

    async def _next(self, service: Service) -> Service | None:
        """The adapter on which it goes on; None where it has come to its end."""
        since = service.swapped_at
        while service.successor is not None:
            service = service.successor
        if since is None or service is not self._owner.service:
            return None
        if self._between is not None:
            await self._between(since, *self._arguments, **self._options)
        return service
