"""The states of an instance: a machine of hypothesis walks them beside a model of a few lines."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.strategies import booleans, sampled_from
from oneiric import (
    Adapter,
    AdapterManager,
    AdapterSpec,
    Catalog,
    ConfigError,
    ConfigStore,
    ConnectionFailed,
    DeadlineExceeded,
    InitFailed,
    Limits,
    NotInitialized,
    ShuttingDown,
    State,
    Unhealthy,
)
from oneiric.lifecycle import TRANSITIONS

OUTCOMES: dict[str, type[Exception] | None] = {
    "works": None,
    "recovers": None,
    "is away": ConnectionFailed,
    "raises": InitFailed,
    "hangs": DeadlineExceeded,
}
RUNNING = {State.READY, State.UNHEALTHY}


class Obedient(Adapter):
    outcome = "works"
    is_healthy = True
    attempts = 0
    open: list[Obedient] = []

    async def init(self) -> None:
        type(self).attempts += 1
        self.open.append(self)
        match self.outcome:
            case "is away":
                raise ConnectionFailed("The server is away.")
            case "recovers" if self.attempts < 3:
                raise ConnectionFailed("The server is away.")
            case "raises":
                raise OSError("away")
            case "hangs":
                await asyncio.Event().wait()

    async def health(self) -> bool:
        return self.is_healthy

    async def cleanup(self) -> None:
        if self in self.open:
            self.open.remove(self)

    async def call(self) -> str:
        return "done" if self in self.open else "lost"


class Other(Obedient):
    """Of another type."""


SPECS = [
    AdapterSpec("obedient", type="database", summary="A.", adapter="walked_adapters:Obedient"),
    AdapterSpec("other", type="queue", summary="A.", adapter="walked_adapters:Other"),
]


class Walk(RuleBasedStateMachine):
    """Every rule is what an application or an operator may do at any time; the model says what must come of it."""

    loop_factory: Any

    @initialize()
    def begin(self) -> None:
        Obedient.open = []
        self.runner = asyncio.Runner(loop_factory=self.loop_factory)
        config = ConfigStore.load(overrides={"a": {"adapter": "obedient"}}, environ={})
        self.adapters = AdapterManager(config, Catalog(SPECS), limits=Limits(init_timeout=9), on_state=self.on_state)
        self.state = self.told = State.STOPPED
        self.outcomes: list[bool] = []
        self.handle: Any = None

    def on_state(self, name: str, state: State) -> None:
        assert state in TRANSITIONS[self.told]
        self.told = state

    def does(self, call: Any, kind: type[Exception] | None = None) -> Any:
        if kind is None:
            return self.runner.run(call)
        with pytest.raises(kind) as caught:
            self.runner.run(call)
        assert type(caught.value) is kind
        return None

    @rule(outcome=sampled_from(sorted(OUTCOMES)))
    def get(self, outcome: str) -> None:
        Obedient.outcome, Obedient.attempts = outcome, 0
        if self.state in RUNNING:
            assert self.does(self.adapters.get("a")) is self.handle
            assert Obedient.attempts == 0
            return
        got = self.does(self.adapters.get("a"), OUTCOMES[outcome])
        assert self.handle in (None, got) or got is None
        self.handle = got or self.handle
        self.state = State.FAILED if OUTCOMES[outcome] else State.READY
        self.outcomes = []
        assert Obedient.attempts == (3 if outcome in ("recovers", "is away") else 1)

    @rule(ok=booleans())
    def check(self, ok: bool) -> None:
        Obedient.is_healthy = ok
        assert bool(self.does(self.adapters.health("a"))) is (ok and self.state in RUNNING)
        self.outcomes.append(ok)
        if self.state is State.READY and self.outcomes[-3:] == [False] * 3:
            self.state = State.UNHEALTHY
        elif self.state is State.UNHEALTHY and self.outcomes[-2:] == [True] * 2:
            self.state = State.READY

    @rule(outcome=sampled_from(sorted(OUTCOMES)), ok=booleans())
    def swap(self, outcome: str, ok: bool) -> None:
        Obedient.outcome, Obedient.attempts, Obedient.is_healthy = outcome, 0, ok
        was_running = self.state in RUNNING
        expected = OUTCOMES[outcome] or (Unhealthy if was_running and not ok else None)
        self.does(self.adapters.swap("a", {}), expected)
        if expected is None:
            self.state, self.outcomes = State.READY, []
            self.handle = self.does(self.adapters.get("a"))
        elif not was_running:
            self.state = State.FAILED

    @rule()
    def swap_to_another_type(self) -> None:
        if self.state in RUNNING:
            self.does(self.adapters.swap("a", {"adapter": "other"}), ConfigError)

    @rule()
    def call(self) -> None:
        if self.state in RUNNING:
            assert self.does(self.handle.call()) == "done"
        elif self.handle is not None:
            self.does(self.handle.call(), NotInitialized)

    @rule(everything=booleans())
    def cleanup(self, everything: bool) -> None:
        self.does(self.adapters.cleanup() if everything else self.adapters.cleanup("a"))
        if self.state in RUNNING:
            self.state = State.STOPPED

    @rule()
    def leave_and_enter(self) -> None:
        self.does(self.adapters.__aexit__(None, None, None))
        if self.state in RUNNING:
            self.state = State.STOPPED
        self.does(self.adapters.get("a"), ShuttingDown)
        self.does(self.adapters.__aenter__())

    @rule()
    def cancelled_get(self) -> None:
        Obedient.outcome = "hangs"

        async def cancelled() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await self.adapters.get("a")

        if self.state not in RUNNING:
            self.does(cancelled())
            self.state = State.STOPPED

    @invariant()
    def all_agree(self) -> None:
        if hasattr(self, "adapters"):
            assert self.adapters.state("a") is self.told is self.state
            assert (self.adapters.error("a") is not None) >= (self.state is State.FAILED)
            assert len(Obedient.open) == (self.state in RUNNING)

    def teardown(self) -> None:
        if hasattr(self, "adapters"):
            self.does(self.adapters.close())
            assert not Obedient.open
            self.runner.close()


def test_an_instance_goes_where_the_table_and_the_model_say(virtual_time: Any, monkeypatch: pytest.MonkeyPatch):
    module = type(sys)("walked_adapters")
    module.Obedient, module.Other = Obedient, Other  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)

    class InVirtualTime(Walk):
        loop_factory = virtual_time

    InVirtualTime.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
    InVirtualTime.TestCase().runTest()


def test_a_way_that_is_not_in_the_table_is_refused():
    adapters = AdapterManager(ConfigStore.load(overrides={"a": {"adapter": "obedient"}}, environ={}), Catalog(SPECS))
    with pytest.raises(AssertionError, match="a can't go from stopped to ready"):
        adapters._managed("a")._move(State.READY)


def test_every_state_can_be_reached_and_left():
    assert TRANSITIONS.keys() == set(State)
    assert set().union(*TRANSITIONS.values()) == set(State)
    assert all(TRANSITIONS.values())
