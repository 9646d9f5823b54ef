"""Random commands to the adapter and to the in-memory reference: the same answers, or errors of the same class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from oneiric.adapters.database.base import DURABLE, SAVEPOINTS
from oneiric.errors import OneiricError
from oneiric.testing.database.things import INSERT, DatabaseTests
from oneiric.testing.driven import EXAMPLES, driven
from oneiric.testing.memory.database import MemoryDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from oneiric.adapters.database.base import DatabaseAdapter, Queries

EVERYTHING = "SELECT id, n, s, x, b FROM things ORDER BY id"


@dataclass(frozen=True)
class Call:
    """One call, on the adapter or on a transaction's handle."""

    method: str
    arguments: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"Call({self.method!r}, {self.arguments!r})"


@dataclass(frozen=True)
class Block:
    """A transaction: its steps, and whether an exception leaves it at the end."""

    steps: tuple[Call | Block, ...]
    is_undone: bool


class Undo(Exception):
    """What leaves a block that is to be undone."""


def _call(method: str, *arguments: st.SearchStrategy[Any] | str | list[str]) -> st.SearchStrategy[Call]:
    each = [given if isinstance(given, st.SearchStrategy) else st.just(given) for given in arguments]
    return st.builds(Call, st.just(method), st.tuples(*each))


IDS = st.integers(0, 9)
"""Few, so that keys are often taken."""
NUMBERS = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", "a", "A", "it's", "$1", "NULL", "1", "%"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)
FLOATS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
ROWS = st.lists(st.tuples(IDS, NUMBERS, TEXTS), max_size=4)
WIDE_ROWS = st.lists(st.tuples(FLOATS, IDS, st.one_of(st.none(), st.binary(max_size=5))), max_size=4)

CALLS = st.one_of(
    _call("execute", INSERT, IDS, NUMBERS, TEXTS),
    _call("execute", "UPDATE things SET n = $1, s = $2 WHERE id >= $3", NUMBERS, TEXTS, IDS),
    _call("execute", "UPDATE things SET id = $1 WHERE id = $2", IDS, IDS),
    _call("execute", "DELETE FROM things WHERE id = $1 OR s = $2", IDS, TEXTS),
    _call("execute_many", INSERT, ROWS),
    _call("execute_many", "UPDATE things SET s = $1 WHERE id = $2", st.lists(st.tuples(TEXTS, IDS), max_size=4)),
    _call("execute_many", "DELETE FROM things WHERE id = $1", st.lists(st.tuples(IDS), max_size=3)),
    _call("insert_many", "things", ["id", "n", "s"], ROWS),
    _call("insert_many", "things", ["x", "id", "b"], WIDE_ROWS),
    _call("fetch_all", "SELECT id, s FROM things WHERE n = $1 OR s = $2 ORDER BY id", NUMBERS, TEXTS),
    _call("fetch_one", "SELECT id, n, s FROM things WHERE id >= $1 ORDER BY id", IDS),
    _call("fetch_value", "SELECT s FROM things WHERE id = $1", IDS),
    _call("fetch_value", "SELECT count(n) FROM things WHERE id < $1", IDS),
    _call("stream", "SELECT s, id FROM things WHERE id <> $1 ORDER BY id DESC", IDS),
    _call("execute", INSERT, IDS),
    _call("execute", INSERT, IDS, st.sampled_from([2**63, -(2**63) - 1]), TEXTS),
    _call("fetch_all", "SELECT nothing FROM things"),
    _call("insert_many", "nowhere", ["id"], st.lists(st.tuples(IDS), min_size=1, max_size=2)),
)


def _blocks(steps: st.SearchStrategy[Call | Block]) -> st.SearchStrategy[Block]:
    return st.builds(Block, st.lists(steps, max_size=5).map(tuple), st.booleans())


class Comparison(RuleBasedStateMachine):
    """The adapter and the reference, each with its table `things`."""

    def __init__(
        self, adapter: DatabaseAdapter, reference: MemoryDatabase, run: Callable[..., Any], capabilities: Set[str]
    ) -> None:
        super().__init__()
        self._adapter = adapter
        self._reference = reference
        self._run = run
        self._capabilities = capabilities
        for each in (adapter, reference):
            run(each.execute("DELETE FROM things"))

    @rule(call=CALLS)
    def call(self, call: Call) -> None:
        """One call by itself."""
        self._compare(call)

    @rule(block=_blocks(CALLS))
    def transaction(self, block: Block) -> None:
        """A transaction of several calls; one that fails ends it."""
        self._compare(block)

    @precondition(lambda self: SAVEPOINTS in self._capabilities)
    @rule(block=_blocks(st.one_of(CALLS, _blocks(st.one_of(CALLS, _blocks(CALLS))))))
    def nested(self, block: Block) -> None:
        """Transactions inside it; one of these that fails leaves it usable."""
        self._compare(block)

    @precondition(lambda self: DURABLE in self._capabilities)
    @rule()
    def reopen(self) -> None:
        """The adapter is cleaned up and initialised again."""
        self._run(self._adapter.cleanup())
        self._run(self._adapter.init())

    @invariant()
    def the_tables_are_the_same(self) -> None:
        """After every step."""
        self._compare(Call("fetch_all", (EVERYTHING,)))

    def _compare(self, step: Call | Block) -> None:
        ours, reference = (self._run(outcome(each, step)) for each in (self._adapter, self._reference))
        assert ours == reference, f"the adapter gives {ours!r}, and the reference {reference!r}"


async def outcome(queries: Queries, step: Call | Block) -> Any:
    """What a step gives, or the class of the error that it raises."""
    answers: list[Any] = []
    try:
        if isinstance(step, Call):
            return await answer(queries, step)
        async with queries.transaction() as tx:
            for inner in step.steps:
                found = await outcome(tx, inner) if isinstance(inner, Block) else await answer(tx, inner)
                answers.append(found)
            if step.is_undone:
                raise Undo
    except Undo:
        return "undone", answers
    except OneiricError as error:
        return type(error).__name__, answers
    return "committed", answers


async def answer(queries: Queries, call: Call) -> Any:
    """What a call returns, its rows as tuples."""
    if call.method == "stream":
        return [tuple(row) async for row in queries.stream(*call.arguments, batch_size=2)]
    found = await getattr(queries, call.method)(*call.arguments)
    if call.method == "fetch_all":
        return [tuple(row) for row in found]
    return tuple(found) if call.method == "fetch_one" and found is not None else found


class DatabaseDifferentialTests(DatabaseTests):
    """The adapter against `MemoryDatabase`."""

    def test_random_commands_are_answered_as_by_the_reference(
        self, make: Callable[..., Any], capabilities: Set[str]
    ) -> None:
        """Reads, writes, and transactions inside transactions, some of them wrong."""
        reference = MemoryDatabase()
        with driven(make, reference) as (adapter, run):
            for each in (adapter, reference):
                run(each.execute(self.things()))
            run_state_machine_as_test(
                lambda: Comparison(adapter, reference, run, capabilities),  # type: ignore[arg-type]
                settings=EXAMPLES,
            )
