"""An init that fails for a transient reason is tried again, with jittered backoff, while there is time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import stamina
from oneiric import Adapter, AdapterManager, ConfigStore, ConnectionFailed, DeadlineExceeded, InitFailed, Limits, State

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric import Catalog

    Virtually = Callable[[Coroutine[Any, Any, None]], None]


class Flaky(Adapter):
    """Fails so many times, after so many seconds each."""

    failures = 0
    seconds = 0.0
    slower = 1.0
    error: type[Exception] = ConnectionFailed
    events: list[tuple[str, float]] = []

    def note(self, event: str) -> None:
        self.events.append((event, asyncio.get_running_loop().time()))

    async def init(self) -> None:
        self.note("init")
        await asyncio.sleep(self.seconds)
        type(self).seconds *= self.slower
        if len([event for event, _ in self.events if event == "init"]) <= self.failures:
            raise self.error("The server is away.")

    async def health(self) -> bool:
        return True

    async def cleanup(self) -> None:
        self.note("cleanup")


@pytest.fixture
def start(virtually: Virtually, catalog_of: Callable[..., Catalog]) -> Callable[..., list[tuple[str, float]]]:
    def start(
        *,
        failures: int,
        error: type[Exception] = ConnectionFailed,
        seconds: float = 0.0,
        slower: float = 1.0,
        raises: Any = None,
        **limits: Any,
    ) -> list[tuple[str, float]]:
        Flaky.failures, Flaky.error, Flaky.seconds, Flaky.events = failures, error, seconds, []
        Flaky.slower = slower
        config = ConfigStore.load(overrides={"flaky": {}}, environ={})
        adapters = AdapterManager(config, catalog_of(flaky=Flaky), limits=Limits(**limits))

        async def main() -> None:
            if raises is None:
                await adapters.get("flaky")
                assert adapters.state("flaky") is State.READY
            else:
                with pytest.raises(raises):
                    await adapters.get("flaky")
                assert adapters.state("flaky") is State.FAILED
                assert isinstance(adapters.error("flaky"), raises)

        virtually(main())
        return Flaky.events

    return start


def test_two_transient_failures_are_got_over(start: Callable[..., list[tuple[str, float]]]):
    events = start(failures=2)
    assert [event for event, _ in events] == ["init", "cleanup", "init", "cleanup", "init"]
    waits = [later - earlier for (_, earlier), (_, later) in zip(events[1::2], events[2::2], strict=True)]
    assert 0.1 <= waits[0] <= 0.6
    assert 0.2 <= waits[1] <= 0.7


def test_three_are_told(start: Callable[..., list[tuple[str, float]]]):
    events = start(failures=9, raises=ConnectionFailed)
    assert [event for event, _ in events] == ["init", "cleanup"] * 3


def test_the_waits_are_not_the_same_each_time(start: Callable[..., list[tuple[str, float]]]):
    waits = {start(failures=1)[2][1] for _ in range(5)}
    assert len(waits) > 1


@pytest.mark.parametrize("error", [OSError, InitFailed, ValueError])
def test_what_is_not_transient_is_not_tried_again(
    error: type[Exception], start: Callable[..., list[tuple[str, float]]]
):
    assert len(start(failures=1, error=error, raises=InitFailed)) == 2


def test_one_attempt_is_one(start: Callable[..., list[tuple[str, float]]]):
    assert len(start(failures=1, init_attempts=1, raises=ConnectionFailed)) == 2


def test_the_deadline_is_of_all_attempts_together(start: Callable[..., list[tuple[str, float]]]):
    events = start(failures=9, seconds=4, init_timeout=9, init_attempts=99, raises=ConnectionFailed)
    assert [event for event, _ in events] == ["init", "cleanup"] * 2  # a third would have had a second left, no more
    events = start(failures=9, seconds=30, init_timeout=9, init_attempts=99, raises=DeadlineExceeded)
    assert events == [("init", 0.0), ("cleanup", 9.0)]
    events = start(failures=9, seconds=4, slower=10, init_timeout=9, raises=DeadlineExceeded)
    assert (events[-1], len(events)) == (("cleanup", 9.0), 4)


def test_an_application_turns_retries_off_as_it_does_everywhere(start: Callable[..., list[tuple[str, float]]]):
    stamina.set_active(False)
    try:
        assert len(start(failures=1, raises=ConnectionFailed)) == 2
    finally:
        stamina.set_active(True)
