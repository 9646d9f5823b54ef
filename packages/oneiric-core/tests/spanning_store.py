"""An adapter with every way of a call that lasts: awaited, entered, iterated."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from oneiric import Adapter, AdapterSettings

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Callable, Generator, Iterator


class Settings(AdapterSettings):
    number: int = 1


def plainly(method: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator as people write them: what it gives is no coroutine function."""

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return wrapper


class Request:
    """Can be awaited, and entered, as those of HTTP clients can."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __await__(self) -> Generator[Any, Any, int]:
        return self.store.read().__await__()

    async def __aenter__(self) -> int:
        return await self.store.read()

    async def __aexit__(self, *details: object) -> None:
        await self.store.read()


class Cursor(Request):
    """Is not an iterator, but has one, as those of database drivers do."""

    async def __aiter__(self) -> AsyncIterator[int]:
        for _ in range(3):
            yield await self.store.read()

    def __len__(self) -> int:
        return 3


class Subscription:
    """An iterator with a class, which outlives the cancellation of one step."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.wait = 60.0

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> int:
        return await self.store.read(self.wait)


class Store(Adapter):
    """Answers with its number, and is loud where it is used before its init or after its cleanup."""

    settings_class = Settings
    settings: Settings
    is_open = False

    async def init(self) -> None:
        self.is_open = True
        self.of_the_instance = functools.partial(self.read, 0.6)

    async def health(self) -> bool:
        return True

    async def cleanup(self) -> None:
        self.is_open = False

    def number(self) -> int:
        assert self.is_open, "lost"
        return self.settings.number

    async def read(self, seconds: float = 0.5) -> int:
        self.number()
        await asyncio.sleep(seconds)
        return self.number()

    def __getattr__(self, name: str) -> Any:
        if name != "dynamic":
            raise AttributeError(name)
        return lambda: self.read()

    decorated = plainly(read)
    partial = functools.partialmethod(read, 0.6)

    def task(self) -> asyncio.Task[int]:
        return asyncio.ensure_future(self.read())

    def request(self) -> Request:
        return Request(self)

    def cursor(self) -> Cursor:
        return Cursor(self)

    def subscribe(self) -> Subscription:
        return Subscription(self)

    async def stream(self) -> AsyncIterator[int]:
        for _ in range(3):
            yield await self.read()

    @asynccontextmanager
    async def transaction(self, *, fails: bool = False) -> AsyncIterator[Store]:
        self.number()
        if fails:
            raise KeyError
        yield self
        self.number()

    @contextmanager
    def lock(self) -> Iterator[int]:
        yield self.number()
        self.number()

    @asynccontextmanager
    async def swallowing(self, swallows: bool) -> AsyncIterator[None]:
        with self.swallowing_sync(swallows):
            yield

    @contextmanager
    def swallowing_sync(self, swallows: bool) -> Iterator[None]:
        with contextlib.suppress(*[KeyError] * swallows):
            yield

    def limiter(self) -> Limiter:
        return Limiter(self)

    def itself(self) -> Store:
        return self

    async def itself_later(self) -> Store:
        return self

    def in_a_thread(self, is_in: threading.Event, go_on: threading.Event) -> int:
        self.number()
        is_in.set()
        go_on.wait(10)
        return self.number()


class Limiter:
    """Is entered by many tasks at a time, and again."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def __aenter__(self) -> int:
        return self.store.number()

    async def __aexit__(self, *details: object) -> None:
        self.store.number()
