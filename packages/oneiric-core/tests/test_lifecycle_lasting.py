"""Calls that last as long as their adapter: no drain waits for them, their adapter's cleanup ends them, a swap moves them."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import (
    Adapter,
    AdapterManager,
    AdapterSettings,
    ConfigStore,
    Limits,
    NotInitialized,
    OneiricError,
    Unsupported,
)
from oneiric.adapters.lasting import lasting
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine

    from oneiric import Catalog

    Virtually = Callable[[Coroutine[Any, Any, None]], None]


async def _note(since: datetime, /, log: list[Any], *_: object, **__: object) -> None:
    log.append(since)


class Source(Adapter):
    """A contract: gives numbers."""

    @abstractmethod
    @lasting(between=_note)
    async def feed(self, log: list[Any], *, every: float = 1.0) -> str:
        """Append to a log again and again."""

    @abstractmethod
    @lasting()
    def numbers(self) -> AsyncGenerator[int]:
        """Give numbers."""


class Settings(AdapterSettings):
    number: int = 0
    takes: float = 0.1
    """Seconds that a cleanup has to wait for what was begun."""
    error: str = ""
    secret: SecretStr = SecretStr("hunter2")


class Numbers(Source):
    settings_class = Settings
    settings: Settings

    async def init(self) -> None:
        self.stopping = asyncio.Event()
        self.fed: set[asyncio.Future[None]] = set()

    async def health(self) -> bool:
        return True

    async def cleanup(self) -> None:
        self.stopping.set()
        await asyncio.gather(*self.fed)

    async def feed(self, log: list[Any], *, every: float = 1.0) -> str:
        if self.settings.error:
            raise Unsupported(self.settings.error)
        ended = asyncio.get_running_loop().create_future()
        self.fed.add(ended)
        try:
            while not self.stopping.is_set():
                log.append(self.settings.number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), every)
            await asyncio.sleep(self.settings.takes)
        finally:
            ended.set_result(None)
        log.append("done")
        return f"fed {self.settings.number}"

    async def numbers(self) -> AsyncGenerator[int]:
        while not self.stopping.is_set():
            yield self.settings.number
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), 1)


Open = "Callable[..., contextlib.AbstractAsyncContextManager[tuple[AdapterManager, Any]]]"


@pytest.fixture
def opened(catalog_of: Callable[..., Catalog]) -> Open:
    catalog = catalog_of(numbers=Numbers)

    @contextlib.asynccontextmanager
    async def opened(limits: Limits | None = None, **values: Any) -> AsyncIterator[tuple[AdapterManager, Any]]:
        config = ConfigStore.load(overrides={"a": {"adapter": "numbers", "number": 1, **values}}, environ={})
        async with AdapterManager(config, catalog, limits=limits) as adapters:
            yield adapters, await adapters.get("a")

    return opened


def _now() -> float:
    return asyncio.get_running_loop().time()


def test_a_swap_waits_only_for_what_a_lasting_call_has_begun_and_moves_it(opened: Any, virtually: Virtually) -> None:
    async def main() -> None:
        log: list[Any] = []
        async with opened() as (adapters, handle):
            feeding = asyncio.ensure_future(handle.feed(log, every=3))
            await asyncio.sleep(4)
            began, before = _now(), datetime.now(UTC)
            await adapters.swap("a", {"number": 2})
            assert _now() - began < 0.2
            await asyncio.sleep(4)
            since = log.pop(3)
            assert before <= since <= datetime.now(UTC)
            assert log == [1, 1, "done", 2, 2]
            assert not feeding.done()
        assert await feeding == "fed 2"

    virtually(main())


def test_a_lasting_call_goes_on_after_several_swaps(opened: Any, virtually: Virtually) -> None:
    async def main() -> None:
        log: list[Any] = []
        async with opened() as (adapters, handle):
            feeding = asyncio.ensure_future(handle.feed(log))
            await asyncio.sleep(0)
            await asyncio.gather(*(adapters.swap("a", {"number": number}) for number in (2, 3, 4)))
            await asyncio.sleep(0.1)
            assert log[-1] == 4
        assert await feeding == "fed 4"

    virtually(main())


def test_a_cleanup_ends_a_lasting_call_which_returns(opened: Any, virtually: Virtually) -> None:
    async def main() -> None:
        log: list[Any] = []
        async with opened() as (adapters, handle):
            feeding = asyncio.ensure_future(handle.feed(log))
            await asyncio.sleep(0.5)
            began = _now()
            await adapters.cleanup("a")
            assert _now() - began < 0.2
            assert await feeding == "fed 1"
            with pytest.raises(NotInitialized):
                await handle.feed(log)
            with pytest.raises(NotInitialized):
                handle.numbers()

    virtually(main())


def test_the_cleanup_that_ends_it_may_take_what_a_drain_may_too(opened: Any, virtually: Virtually) -> None:
    async def main() -> None:
        log: list[Any] = []
        async with opened(Limits(drain_timeout=5, cleanup_timeout=5), takes=9) as (_, handle):
            feeding = asyncio.ensure_future(handle.feed(log))
            await asyncio.sleep(0.5)
        assert log[-1] == "done"
        assert await feeding == "fed 1"
        async with opened(Limits(drain_timeout=5, cleanup_timeout=5), takes=60) as (_, handle):
            feeding = asyncio.ensure_future(handle.feed(log))
            await asyncio.sleep(0.5)
            began = _now()
        assert 10 <= _now() - began < 12
        feeding.cancel()
        await asyncio.wait([feeding])

    virtually(main())


def test_a_lasting_iterator_goes_on_where_its_adapter_was_swapped(opened: Any, virtually: Virtually) -> None:
    async def main() -> None:
        given: list[int] = []
        async with opened() as (adapters, handle):

            async def read() -> None:
                given.extend([number async for number in handle.numbers()])

            reading = asyncio.ensure_future(read())
            await asyncio.sleep(1.5)
            began = _now()
            await adapters.swap("a", {"number": 2})
            assert _now() - began < 0.2
            await asyncio.sleep(1.5)
        await reading
        assert given == [1, 1, 2, 2]

    virtually(main())


def test_an_iterator_that_is_closed_is_closed_on_its_adapter(opened: Any, virtually: Virtually) -> None:
    async def main() -> None:
        async with opened() as (_, handle):
            async with contextlib.aclosing(handle.numbers()) as numbers:
                assert await anext(numbers) == 1
            with pytest.raises(StopAsyncIteration):
                await anext(numbers)

    virtually(main())


def test_what_the_next_adapter_refuses_is_raised_without_its_secrets(opened: Any, virtually: Virtually) -> None:
    async def main() -> None:
        log: list[Any] = []
        async with opened() as (adapters, handle):
            feeding = asyncio.ensure_future(handle.feed(log))
            await asyncio.sleep(0.5)
            await adapters.swap("a", {"error": "It can't, says letmein.", "secret": "letmein"})
            with pytest.raises(OneiricError) as raised:
                await feeding
            assert "letmein" not in str(raised.value)
            assert "can't" in str(raised.value)

    virtually(main())


def test_a_lasting_call_that_is_cancelled_ends(opened: Any, virtually: Virtually) -> None:
    async def main() -> None:
        log: list[Any] = []
        async with opened() as (adapters, handle):
            feeding = asyncio.ensure_future(handle.feed(log))
            await asyncio.sleep(0.5)
            feeding.cancel()
            await asyncio.wait([feeding])
            assert feeding.cancelled()
            await adapters.swap("a", {"number": 2})
            assert 2 not in log

    virtually(main())
