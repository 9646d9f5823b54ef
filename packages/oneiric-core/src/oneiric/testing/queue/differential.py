"""Random commands to the adapter and to the queue in memory: the same answers, or errors of the same class."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from oneiric.adapters.queue.base import RESULTS, Task
from oneiric.errors import InvalidTask, OneiricError, TaskFailed, Unsupported
from oneiric.testing.driven import PATIENT_EXAMPLES, driven
from oneiric.testing.json_strategies import JSON, NO_JSON, TEXTS
from oneiric.testing.kept import Kept
from oneiric.testing.memory.queue import CAPABILITIES, MemoryQueue
from oneiric.testing.patience import PATIENCE
from oneiric.testing.queue import tasks
from oneiric.testing.queue.under_test import QueueUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from oneiric.testing.queue.under_test import RunWorker

_FAR = datetime(2100, 1, 1, tzinfo=UTC)
_NAIVE = datetime(2100, 1, 1)
GOOD = st.lists(JSON, max_size=3)
ARGS = GOOD | GOOD | st.lists(NO_JSON, min_size=1, max_size=1)
KWARGS = st.dictionaries(TEXTS, JSON, max_size=3)
IDS = st.sampled_from(["a", "b", "c", "d", "no id"])
"""Few, so that they are often taken."""
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.sampled_from([0, 5, 9, 1, 8, 10]),
        "max_retries": st.sampled_from([0, 1, 2, 3, 0.5]),
        "expires": st.sampled_from([3600, 7200.5, _FAR, _FAR, 0, _NAIVE]),
    },
)
TIMES = st.fixed_dictionaries(
    {},
    optional={
        "delay": st.sampled_from([3600, 3600.5, 7200, -1]),
        "eta": st.sampled_from([_FAR, _FAR, _NAIVE]),
        "expires": st.sampled_from([1800, 10_000, _FAR]),
    },
)
MESSAGES = TEXTS.filter(lambda text: text.isprintable() and text == text.strip() != "")
"""Of exceptions: how an engine writes one that is empty or has several lines is its own."""
WORK: st.SearchStrategy[tuple[str, list[Any]]] = st.one_of(
    st.tuples(st.just("echo"), st.lists(JSON, max_size=3)),
    st.tuples(st.just("add"), st.lists(st.integers(), min_size=2, max_size=2)),
    st.tuples(st.just("fail"), st.lists(MESSAGES, min_size=1, max_size=1)),
    st.tuples(st.just("nothing"), st.just([])),
)
MOST_WORK = 2
"""How often in an example a worker is given work, as some take a good part of a second for each task."""
COMMANDS = ["cancel", "stop", "wait"]


class Comparison(RuleBasedStateMachine):
    """The adapter and the reference, each with a queue that no worker serves, and one that a worker does."""

    def __init__(self, adapter: Any, reference: Any, run: Callable[..., Any], served: str | None, name: Any) -> None:
        super().__init__()
        self._both = (adapter, reference)
        self._run = run
        self._served = served
        self._name = name
        self._prefix = uuid4().hex
        self._worked = 0
        self._pairs: list[tuple[str, str]] = [("never-seen", "never-seen")]
        """The ids of each task, as the adapter has it and as the reference does."""

    @rule(args=ARGS, kwargs=KWARGS, options=OPTIONS, own=st.none() | IDS, later=st.just({}) | TIMES)
    def submit(self, args: Any, kwargs: Any, options: Any, own: str | None, later: Any) -> None:
        """One task, for a queue that nobody serves."""
        task_id = None if own is None else f"{self._prefix}-{own}"
        options = {**options, **later, "task_id": task_id, "queue": f"{self._prefix}{'-later' if later else ''}"}
        ours, reference = self._answers("submit_task", self._name("echo"), args, kwargs, **options)
        if not isinstance(ours, tuple) and not isinstance(reference, tuple):
            assert task_id is None or ours == reference == task_id, "an id that was given is not the task's"
            self._pairs.append((ours, reference))
        else:
            assert ours == reference, f"the adapter gives {ours!r}, and the reference {reference!r}"

    @rule(many=st.lists(st.tuples(ARGS, OPTIONS), max_size=4))
    def submit_many(self, many: list[Any]) -> None:
        """Several, some of which may be wrong."""
        batch = [Task(name=self._name("echo"), args=args, queue=self._prefix, **options) for args, options in many]
        ours, reference = self._answers("submit_many", batch)
        assert isinstance(ours, tuple) == isinstance(reference, tuple), (
            f"the adapter: {ours!r}, reference: {reference!r}"
        )
        if isinstance(ours, tuple):
            assert ours == reference
        else:
            assert len(ours) == len(reference) == len(batch)
            self._pairs += zip(ours, reference, strict=True)

    @rule(command=st.sampled_from(COMMANDS), which=st.integers(0, 100))
    def ask(self, command: str, which: int) -> None:
        """Something of a task that was submitted, or never seen."""
        pair = self._pairs[which % len(self._pairs)]
        ours, reference = (self._run(_asked(each, command, its)) for each, its in zip(self._both, pair, strict=True))
        assert ours == reference, f"{command}: the adapter gives {ours!r}, and the reference {reference!r}"

    @precondition(lambda self: self._served is not None and self._worked < MOST_WORK)
    @rule(work=st.lists(WORK, min_size=1, max_size=2))
    def work(self, work: list[Any]) -> None:
        """Several tasks that a worker runs."""
        self._worked += 1
        batch = [Task(name=self._name(name), args=args, queue=self._served) for name, args in work]
        ours, reference = (self._run(_done(each, batch)) for each in self._both)
        assert ours == reference, f"{work}: the adapter gives {ours!r}, and the reference {reference!r}"

    @invariant()
    def as_many_tasks_wait(self) -> None:
        """After every step."""
        ours, reference = self._answers("queue_depth", self._prefix)
        assert ours == reference, f"{ours!r} tasks wait, and {reference!r} of the reference"

    @invariant()
    def the_states_are_the_same(self) -> None:
        """Of all tasks, after every step."""
        ours, reference = (
            self._run(_states(each, ids)) for each, ids in zip(self._both, zip(*self._pairs, strict=True), strict=True)
        )
        assert ours == reference, f"the states are {ours}, and those of the reference {reference}"

    def _answers(self, method: str, *args: Any, **options: Any) -> list[Any]:
        return [self._run(_outcome(getattr(each, method)(*args, **options))) for each in self._both]


async def _outcome(call: Any) -> Any:
    """What a call gives, or the class of its error, as a tuple: which of two refusals comes first is the adapter's."""
    try:
        return await call
    except OneiricError as error:
        refused = isinstance(error, InvalidTask | Unsupported)
        return "refused" if refused else type(error).__name__, getattr(error, "error", None)


async def _states(adapter: Any, ids: Iterable[str]) -> list[str]:
    return [(await adapter.get_task_status(task_id))["state"].value for task_id in ids]


async def _asked(adapter: Any, command: str, task_id: str) -> Any:
    if command == "wait":
        (state,) = await _states(adapter, [task_id])
        if state in ("queued", "scheduled"):
            return state
        return await _outcome(adapter.wait_for_result(task_id, timeout=PATIENCE))
    return await _outcome(adapter.cancel_task(task_id, stop=command == "stop"))


async def _done(adapter: Any, batch: list[Task]) -> list[str]:
    """How each task ends, as JSON, in which 1 is not 1.0."""
    ended = []
    for task_id in await adapter.submit_many(batch):
        try:
            outcome = ["returned", await adapter.wait_for_result(task_id, timeout=PATIENCE)]
        except TaskFailed as error:
            outcome = ["failed", error.error if (error.error or "").startswith("ValueError: ") else "somehow"]
        status = await adapter.get_task_status(task_id)
        ended.append(json.dumps([*outcome, status["state"], status.get("result")], sort_keys=True))
    return ended


class QueueDifferentialTests(QueueUnderTest):
    """The adapter against `MemoryQueue`."""

    def test_random_commands_are_answered_as_by_the_reference(
        self,
        make: Callable[..., Any],
        capabilities: frozenset[str],
        run_worker: RunWorker | None,
        new_queue: str,
    ) -> None:
        """Submits, cancels, statuses and work, some of them wrong."""
        reference = MemoryQueue({"broker": new_queue, "without": CAPABILITIES - capabilities})
        named = {self.task_name(path.rpartition(".")[2]): function for path, function in tasks.TASKS.items()}
        with driven(make, reference) as (adapter, run):
            served = new_queue if run_worker and RESULTS in capabilities else None
            workers = run(Kept.opened(_workers(run_worker, reference, named, served)))
            try:
                run_state_machine_as_test(
                    lambda: Comparison(adapter, reference, run, served, self.task_name),  # type: ignore[arg-type]
                    settings=settings(PATIENT_EXAMPLES, max_examples=20, stateful_step_count=20),
                )
            finally:
                run(workers.close())


@asynccontextmanager
async def _workers(
    run_worker: RunWorker | None, reference: MemoryQueue, named: Mapping[str, Any], served: str | None
) -> AsyncIterator[None]:
    """A worker of each, where there is one of the adapter's."""
    if run_worker is None or served is None:
        yield
        return
    async with run_worker(served), reference.worker(named, served):
        yield
