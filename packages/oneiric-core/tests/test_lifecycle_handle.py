"""The handle that `get` gives: like the adapter in every way that an application can see, and counted."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from oneiric import Adapter, AdapterManager, AdapterSettings, ConfigStore, Health, NotInitialized, OneiricError
from oneiric.lifecycle.handle import Handle
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from oneiric import Catalog

    Until = Callable[[Callable[[], object]], Awaitable[None]]


class Settings(AdapterSettings):
    password: SecretStr = SecretStr("hunter2-canary")


class DriverError(Exception):
    """Makes its message of something that nobody can change."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._parts = iter([dsn])
        self._text = lambda: f"can't connect to {dsn}"

    def __str__(self) -> str:
        return self._text()


class Rich(Adapter):
    """Has everything that a class can have."""

    settings_class = Settings
    settings: Settings
    size = 3

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.is_open = False
        self.closed: list[str] = []

    async def init(self) -> None:
        self.is_open = True

    async def health(self) -> bool:
        return self.is_open

    async def cleanup(self) -> None:
        self.is_open = False

    async def fetch(self, key: str, /, *keys: str, limit: int = 2) -> tuple[Any, ...]:
        """Give back what it is given."""
        await asyncio.sleep(0)
        return self, key, keys, limit

    def sync(self) -> str:
        return "sync"

    def later(self) -> Any:
        return self.fetch("later")

    @classmethod
    def made(cls) -> str:
        return cls.__name__

    @staticmethod
    def static() -> str:
        return "static"

    @property
    def raw(self) -> str:
        if not self.is_open:
            raise self.not_initialized()
        return "raw"

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: str) -> str:
        return f"item {key}"

    __int__ = functools.lru_cache(__len__)

    async def numbers(self) -> AsyncIterator[int]:
        try:
            for number in range(3):
                yield number
        finally:
            self.closed.append("numbers")

    def iterate(self) -> Numbers:
        return Numbers()

    async def wait(self, event: asyncio.Event) -> None:
        await event.wait()

    async def fail(self, how: str) -> None:
        secret = self.settings.password.get_secret_value()
        try:
            if how == "stubborn":
                raise DriverError(f"db://app:{secret}@host/")
            raise OSError(5, f"no route to db://app:{secret}@host/", f"/run/{secret}")
        except Exception as error:
            if how in ("driver", "stubborn"):
                raise
            failure = RuntimeError(f"refused {secret!r}")
            failure.add_note(f"the DSN was db://app:{secret}@host/")
            raise failure from (DriverError(secret) if how == "stubborn cause" else error)

    def fail_at_once(self) -> None:
        raise ValueError(self.settings.password.get_secret_value())


class Numbers:
    def __init__(self) -> None:
        self.left = [1, 2]

    def __aiter__(self) -> Numbers:
        return self

    async def __anext__(self) -> int:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)


@pytest.fixture
async def adapters(catalog_of: Callable[..., Catalog]) -> AsyncIterator[AdapterManager]:
    config = ConfigStore.load(overrides={"rich": {}}, environ={})
    async with AdapterManager(config, catalog_of(rich=Rich)) as adapters:
        yield adapters


@pytest.fixture
async def rich(adapters: AdapterManager) -> Any:
    return await adapters.get("rich")


def calls(adapters: AdapterManager) -> int:
    service = adapters._instances["rich"].service
    assert service is not None
    return service.calls


async def test_it_is_what_the_adapter_is(adapters: AdapterManager, rich: Any):
    assert isinstance(rich, Rich)
    assert isinstance(rich, Adapter)
    assert not isinstance(rich, dict)
    assert type(rich) is not Rich
    assert await adapters.get("rich", Rich) is rich
    assert repr(rich) == repr(adapters._instances["rich"].latest.adapter)
    assert (rich.name, rich.size, rich.raw, rich.sync(), rich.static(), rich.made()) == (
        "rich",
        3,
        "raw",
        "sync",
        "static",
        "Rich",
    )
    assert (len(rich), rich["x"], bool(rich), int(rich)) == (3, "item x", True, 3)
    assert rich.fetch.__doc__ == "Give back what it is given."
    assert inspect.signature(type(rich).fetch) == inspect.signature(Rich.fetch)
    assert inspect.iscoroutinefunction(rich.fetch)
    with pytest.raises(AttributeError, match="nothing"):
        _ = rich.nothing


async def test_calls_reach_the_adapter_itself_with_what_they_were_given(adapters: AdapterManager, rich: Any):
    adapter, *given = await rich.fetch("a", "b", "c", limit=5)
    assert type(adapter) is Rich
    assert given == ["a", ("b", "c"), 5]
    assert (await rich.later())[1] == "later"
    rich.extra = "set"
    assert (adapter.extra, rich.extra) == ("set", "set")
    with pytest.raises(TypeError):
        await rich.fetch()
    assert calls(adapters) == 0


async def test_each_way_to_use_it_counts_as_one_call_until_its_end(adapters: AdapterManager, rich: Any):
    event = asyncio.Event()
    task = asyncio.create_task(rich.wait(event))
    await asyncio.sleep(0)
    assert calls(adapters) == 1
    event.set()
    await task
    assert calls(adapters) == 0
    for iterator in (rich.numbers(), rich.iterate()):
        assert calls(adapters) == 0
        first = await anext(iterator)
        assert calls(adapters) == 1
        assert [first, *[number async for number in iterator]] in ([0, 1, 2], [1, 2])
        assert calls(adapters) == 0


async def test_an_iterator_that_is_closed_or_dropped_is_no_call_any_more(adapters: AdapterManager, rich: Any):
    async with aclosing(rich.numbers()) as numbers:
        assert await anext(numbers) == 0
        assert calls(adapters) == 1
    assert (calls(adapters), rich.closed) == (0, ["numbers"])
    iterator = rich.iterate()
    await anext(iterator)
    assert calls(adapters) == 1
    del iterator
    assert calls(adapters) == 0


async def test_a_cancelled_call_is_no_call_any_more(adapters: AdapterManager, rich: Any):
    task = asyncio.create_task(rich.wait(asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert calls(adapters) == 0


async def test_async_with_leaves_the_cleanup_to_the_manager(adapters: AdapterManager, rich: Any):
    async with rich as same:
        assert same is rich
    assert rich.is_open


async def test_a_cleanup_lets_the_calls_under_way_end_and_takes_no_more(
    adapters: AdapterManager, rich: Any, until: Until
):
    event = asyncio.Event()
    call, cleanup = asyncio.create_task(rich.wait(event)), asyncio.create_task(adapters.cleanup("rich"))
    await until(lambda: adapters.state("rich") == "cleaning_up")
    for use in (rich.fetch, rich.sync, rich.numbers):
        with pytest.raises(NotInitialized, match="`rich` takes no calls: it is cleaning_up"):
            await use("a")
    assert rich.is_open
    event.set()
    await asyncio.gather(call, cleanup)
    assert not rich.is_open
    with pytest.raises(NotInitialized, match=r"it is stopped\. Get it again"):
        await rich.fetch("a")
    with pytest.raises(NotInitialized):
        _ = rich.raw
    assert isinstance(rich, Rich)
    assert await adapters.get("rich") is rich
    assert rich.raw == "raw"


def _shown(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (str(error), repr(error), *getattr(error, "__notes__", ()), str(getattr(error, "filename", "")))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("how", "kind"), [("driver", "OSError"), ("wrapped", "RuntimeError"), ("stubborn cause", "RuntimeError")]
)
async def test_what_a_call_raises_shows_no_secret_of_the_adapters(rich: Any, how: str, kind: str):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await rich.fail(how)
    assert type(caught.value).__name__ == kind
    shown = "\n".join(_shown(caught.value))
    assert "hunter2" not in shown
    assert "**********" in shown
    assert how != "stubborn cause" or "It was raised from a DriverError, left out as it holds a secret." in shown


async def test_an_error_that_would_show_a_secret_whatever_is_done_is_replaced(rich: Any):
    with pytest.raises(Exception, match=r"`rich` raised DriverError, whose message holds a secret\.") as caught:
        await rich.fail("stubborn")
    assert "hunter2" not in "\n".join(_shown(caught.value.__cause__))
    assert caught.value.__context__ is None
    with pytest.raises(ValueError, match=r"\*\*\*"):
        rich.fail_at_once()


class Talkative(Adapter):
    """Repeats its password where no call is made."""

    settings_class = Settings
    settings: Settings

    def __repr__(self) -> str:
        return f"<Talkative {self.secret}>"

    @property
    def secret(self) -> str:
        return self.settings.password.get_secret_value()

    @property
    def broken(self) -> str:
        raise ValueError(self.secret)

    async def init(self) -> None:
        pass

    async def health(self) -> Health:
        return Health(ok=False, detail=f"refused {self.secret}")

    async def cleanup(self) -> None:
        raise DriverError(self.secret)

    async def rows(self) -> AsyncIterator[int]:
        try:
            yield 1
            raise DriverError(self.secret)
        finally:
            raise DriverError(self.secret)


@pytest.fixture
async def talkative(catalog_of: Callable[..., Catalog]) -> AsyncIterator[tuple[AdapterManager, Any]]:
    config = ConfigStore.load(overrides={"talkative": {}, "rich": {}}, environ={})
    async with AdapterManager(config, catalog_of(talkative=Talkative, rich=Rich)) as adapters:
        yield adapters, await adapters.get("talkative")


Talked = tuple[AdapterManager, Any]


async def test_what_is_no_call_shows_no_secret_either(talkative: Talked):
    _, handle = talkative
    shown = [repr(handle), (await handle.health()).detail]
    with pytest.raises(ValueError, match=r"\*\*\*"):
        _ = handle.broken
    with pytest.raises(OneiricError, match="whose message holds a secret"):
        await handle.cleanup()
    assert "hunter2" not in "".join(shown)


async def test_a_span_whose_error_must_be_replaced_is_over_all_the_same(talkative: Talked):
    adapters, handle = talkative
    rows = handle.rows()
    assert await anext(rows) == 1
    with pytest.raises(OneiricError, match="whose message holds a secret"):
        await anext(rows)
    rows = handle.rows()
    assert await anext(rows) == 1
    with pytest.raises(OneiricError, match="whose message holds a secret"):
        await rows.aclose()
    service = adapters._instances["talkative"].service
    assert service is not None
    assert service.calls == 0


async def test_a_cleanup_whose_error_must_be_replaced_keeps_no_other_from_its_own(talkative: Talked):
    adapters, _ = talkative
    await adapters.get("rich")
    await adapters.cleanup()
    assert (adapters.state("rich"), adapters.state("talkative")) == ("stopped", "stopped")


def test_the_names_of_a_handles_own_are_no_adapters():
    public = [name for name in vars(Handle) if not name.startswith("_")]
    assert public == []


async def test_it_can_be_patched_as_the_adapter_can(adapters: AdapterManager, rich: Any):
    with mock.patch.object(rich, "fetch", mock.AsyncMock(return_value="patched")):
        assert await rich.fetch() == "patched"
    assert (await rich.fetch("a"))[1] == "a"
    rich.extra = 1
    del rich.extra
    assert not hasattr(rich, "extra")


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_it_is_not_copied_and_says_so(rich: Any, way: Callable[[object], object]):
    with pytest.raises(TypeError, match="can't be copied or pickled"):
        way(rich)
