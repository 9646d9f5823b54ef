"""What a task is given and returns: JSON, as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue.base import RESULTS
from oneiric.errors import InvalidTask
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.json_values import HOSTILE, NOT_JSON, same
from oneiric.testing.patience import PATIENCE
from oneiric.testing.queue.under_test import QueueUnderTest, with_worker

if TYPE_CHECKING:
    from oneiric.adapters.queue.base import QueueAdapter

_MISSHAPEN: dict[str, tuple[Any, Any]] = {
    "args a string": ("abc", {}),
    "args bytes": (b"abc", {}),
    "args a number": (7, {}),
    "args a dict": ({"a": 1}, {}),
    "args a set": ({1, 2}, {}),
    "kwargs a list": ([], [1]),
    "kwargs a string": ([], "abc"),
    "kwargs with a number for a key": ([], {1: 2}),
}


class PayloadTests(QueueUnderTest):
    """The arguments and results of tasks."""

    @with_worker
    async def test_arguments_and_results_arrive_as_they_were(
        self, adapter: QueueAdapter, capabilities: frozenset[str]
    ) -> None:
        """Whatever JSON can hold, of whatever size: as positional and as named arguments, and as results."""
        self.needs(capabilities, RESULTS)
        # Together, as an engine may take a good part of a second for a task; the huge one by itself, as its size is the point.
        small = {word: value for word, value in HOSTILE.items() if word != "huge"}
        changed = []
        for values in (small, {"huge": HOSTILE["huge"]}):
            task_id = await adapter.submit_task(self.task_name("echo"), [*values.values()], values)
            result = await adapter.wait_for_result(task_id, timeout=PATIENCE)
            pairs = zip(values.items(), result["args"], strict=True)
            changed += [
                word
                for (word, value), arrived in pairs
                if not (same(arrived, value) and same(result["kwargs"].get(word), value))
            ]
        assert changed == [], "These values don't arrive as they were submitted, or don't return as they were."

    @with_worker
    async def test_any_names_of_arguments_can_be(self, adapter: QueueAdapter, capabilities: frozenset[str]) -> None:
        """`queue=` in `kwargs` is the task's own, and no option of the engine's."""
        self.needs(capabilities, RESULTS)
        kwargs = dict.fromkeys(
            ["queue", "task_id", "job_id", "args", "kwargs", "timeout", "name", "eta", "Ünï code"], 1
        )
        task_id = await adapter.submit_task(self.task_name("echo"), (), kwargs)
        result = await adapter.wait_for_result(task_id, timeout=PATIENCE)
        assert result == {"args": [], "kwargs": kwargs}, "Named arguments of a task were taken for something else."

    @with_worker
    async def test_tuples_arrive_as_lists(self, adapter: QueueAdapter, capabilities: frozenset[str]) -> None:
        """JSON has one kind of array."""
        self.needs(capabilities, RESULTS)
        result = await self.result(adapter, "echo", (1, ("two",)))
        assert result == {"args": [[1, ["two"]]], "kwargs": {}}

    @with_worker
    async def test_a_result_can_be_none(self, adapter: QueueAdapter, capabilities: frozenset[str]) -> None:
        """A task that returns None has succeeded, and its result is None: nothing waits on for another one."""
        self.needs(capabilities, RESULTS)
        task_id = await self.submit(adapter, "nothing")
        assert await adapter.wait_for_result(task_id, timeout=PATIENCE) is None
        status = await adapter.get_task_status(task_id)
        assert status.get("result", "not there") is None, "The status of a task that returned None has no `result`."

    @with_worker
    async def test_what_the_caller_does_to_the_arguments_afterwards_changes_nothing(
        self, adapter: QueueAdapter, capabilities: frozenset[str]
    ) -> None:
        """What was submitted is what they were at the submit."""
        self.needs(capabilities, RESULTS)
        argument = ["as submitted"]
        task_id = await self.submit(adapter, "echo", argument)
        argument.append("changed later")
        result = await adapter.wait_for_result(task_id, timeout=PATIENCE)
        assert result["args"] == [["as submitted"]]

    @by_name(NOT_JSON)
    async def test_what_json_can_not_hold_is_refused(self, adapter: QueueAdapter, new_queue: str, case: Any) -> None:
        """Before anything is sent, as an argument of either kind, and however deep it lies: InvalidTask."""
        tried: list[tuple[list[Any], dict[str, Any]]] = [([case], {}), ([], {"x": case}), ([{"a": [1, case]}], {})]
        for args, kwargs in tried:
            with expect(InvalidTask, "an argument that JSON can't hold"):
                await adapter.submit_task(self.task_name("echo"), args, kwargs, queue=new_queue)
        assert await adapter.queue_depth(new_queue) == 0, "A task was refused and is in its queue all the same."

    @by_name(_MISSHAPEN)
    async def test_arguments_that_are_no_list_or_no_mapping_are_refused(
        self, adapter: QueueAdapter, new_queue: str, case: Any
    ) -> None:
        """`args="abc"` is three arguments to nobody."""
        args, kwargs = case
        with expect(InvalidTask, "arguments of this shape"):
            await adapter.submit_task(self.task_name("echo"), args, kwargs, queue=new_queue)
        assert await adapter.queue_depth(new_queue) == 0, "A task was refused and is in its queue all the same."
