"""Health in the background: every running instance is asked, and its state follows several answers in a row."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import Adapter, AdapterManager, AdapterSettings, ConfigStore, Health, Limits, State
from oneiric.lifecycle.damping import Damper
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric import Catalog

    Virtually = Callable[[Coroutine[Any, Any, None]], None]


class Settings(AdapterSettings):
    password: SecretStr = SecretStr("hunter2-canary")


class Patient(Adapter):
    settings_class = Settings
    settings: Settings
    answers: dict[str, list[Any]] = {}

    async def init(self) -> None: ...

    async def health(self) -> Any:
        answers = self.answers[str(self.name)]
        answer = answers.pop(0) if answers else True
        if answer == "hangs":
            await asyncio.Event().wait()
        return answer

    async def cleanup(self) -> None: ...


def manager(catalog: Catalog, changes: list[tuple[float, str, State]], **answers: list[Any]) -> AdapterManager:
    Patient.answers = answers
    config = ConfigStore.load(overrides={name: {"adapter": "patient"} for name in answers}, environ={})

    def on_state(name: str, state: State) -> None:
        changes.append((round(asyncio.get_running_loop().time() / 10), name, state))
        raise RuntimeError("Who watches breaks nothing.")

    return AdapterManager(config, catalog, limits=Limits(health_interval=10), on_state=on_state)


def test_the_state_follows_the_third_failure_and_the_second_success(
    virtually: Virtually, catalog_of: Callable[..., Catalog]
):
    changes: list[tuple[float, str, State]] = []
    answers = [False, False, True, False, False, False, True, False, "hangs", True, True]

    async def main() -> None:
        async with manager(catalog_of(patient=Patient), changes, a=answers, b=[]) as adapters:
            await adapters.get("a")
            await adapters.get("b")
            await asyncio.sleep(200)
            assert not Patient.answers["a"]
        assert adapters._watching is None

    virtually(main())
    moved = [(state, at) for at, name, state in changes if name == "a"]
    assert [state for state, _ in moved] == ["initializing", "ready", "unhealthy", "ready", "cleaning_up", "stopped"]
    assert 5 <= moved[2][1] <= 7
    assert 10 <= moved[3][1] <= 13
    assert [state for _, name, state in changes if name == "b"] == ["initializing", "ready", "cleaning_up", "stopped"]


def test_each_check_comes_at_a_time_of_its_own(virtually: Virtually, catalog_of: Callable[..., Catalog]):
    times: list[float] = []

    class Punctual(Patient):
        async def health(self) -> bool:
            times.append(asyncio.get_running_loop().time())
            return True

    async def main() -> None:
        async with manager(catalog_of(patient=Punctual), [], a=[]) as adapters:
            await adapters.get("a")
            await asyncio.sleep(200)

    virtually(main())
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert len({round(wait, 3) for wait in waits}) > 5
    assert 9 <= min(waits) <= max(waits) <= 11


def test_one_that_hangs_keeps_no_other_from_its_check(virtually: Virtually, catalog_of: Callable[..., Catalog]):
    times: dict[str, float] = {}

    class Hanging(Patient):
        async def health(self) -> Any:
            times.setdefault(str(self.name), asyncio.get_running_loop().time())
            return await super().health()

    async def main() -> None:
        async with manager(catalog_of(patient=Hanging), [], a=["hangs"], b=[]) as adapters:
            await adapters.get("a")
            await adapters.get("b")
            await asyncio.sleep(20)

    virtually(main())
    assert times["a"] == times["b"]


def test_without_an_interval_nobody_is_asked(virtually: Virtually, catalog_of: Callable[..., Catalog]):
    async def main() -> None:
        adapters = manager(catalog_of(patient=Patient), [], a=[False] * 9)
        adapters.limits.health_interval = None
        async with adapters:
            await adapters.get("a")
            await asyncio.sleep(1_000)
            assert adapters.state("a") is State.READY
            assert len(Patient.answers["a"]) == 9

    virtually(main())


def test_what_is_unhealthy_goes_on_serving_and_is_cleaned_up(virtually: Virtually, catalog_of: Callable[..., Catalog]):
    async def main() -> None:
        async with manager(catalog_of(patient=Patient), [], a=[False] * 9) as adapters:
            adapter = await adapters.get("a")
            for _ in range(3):
                assert not await adapters.health("a")
            assert adapters.state("a") is State.UNHEALTHY
            assert await adapters.get("a") is adapter
        assert adapters.state("a") is State.STOPPED

    virtually(main())


async def test_the_detail_shows_no_secret(catalog_of: Callable[..., Catalog]):
    ill = Health(ok=False, detail="FATAL: hunter2-canary is wrong for db://app:other@host/")
    async with manager(catalog_of(patient=Patient), [], a=[ill]) as adapters:
        await adapters.get("a")
        assert (await adapters.health("a")).detail == "FATAL: ********** is wrong for db://app:**********@host/"


@pytest.mark.parametrize(
    ("outcomes", "verdicts"),
    [("+++", "+++"), ("-+-+-+", "++++++"), ("--+--+", "++++++"), ("---", "++-"), ("---+-+-++", "++-----" + "-+")],
)
def test_one_outcome_is_no_verdict(outcomes: str, verdicts: str):
    damper = Damper()
    got = ["+" if damper.note(o == "+", unhealthy_after=3, healthy_after=2) else "-" for o in outcomes]
    assert "".join(got) == verdicts
