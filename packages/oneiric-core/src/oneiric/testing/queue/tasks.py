"""The tasks of the kit: plain functions, which a worker in a process of its own can import. No test framework comes with them.

A worker knows them by the names of `TASKS`. What a task has done is seen in files, as the worker may be in another process.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_HOLD = 60.0
"""Seconds after which a task that is held gives up."""


class StrangeError(Exception):
    """An exception that can be neither pickled nor made anew from its `args`."""

    def __init__(self, one: str, *, other: object) -> None:
        super().__init__(one)
        self.other = other


def echo(*args: Any, **kwargs: Any) -> Any:
    """Return the arguments."""
    return {"args": list(args), "kwargs": kwargs}


def add(one: int, other: int) -> int:
    """Return the sum."""
    return one + other


def nothing() -> None:
    """Return None."""


def now() -> float:
    """Return the time, in seconds since 1970."""
    return time.time()


def fail(message: str) -> None:
    """Raise a ValueError."""
    raise ValueError(message)


def fail_at_length(size: int) -> None:
    """Raise a ValueError with a message of so many characters."""
    raise ValueError("x" * size)


def fail_strangely() -> None:
    """Raise what an engine may not be able to send."""
    raise StrangeError("strange", other=lambda: None)


def return_a_set() -> Any:
    """Return what JSON can't hold."""
    return {1, 2}


def note(path: str, line: str) -> None:
    """Add a line to a file, in one write."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


def hold(path: str) -> str:
    """Write `started` to `path`.log, wait until there is a file at `path`, and write `ended`."""
    note(f"{path}.log", "started")
    give_up = time.monotonic() + LONGEST_HOLD
    while not Path(path).exists():
        if time.monotonic() > give_up:
            raise TimeoutError("This task was held for too long.")
        time.sleep(0.01)
    note(f"{path}.log", "ended")
    return "released"


def flaky(path: str, failures: int) -> int:
    """Fail the first times that it is called; then return how often it was. `path` is where it counts."""
    note(path, "called")
    calls = len(Path(path).read_text(encoding="utf-8").splitlines())
    if calls <= failures:
        raise ValueError(f"failure {calls}")
    return calls


def progress(value: Any, path: str) -> str:
    """Report `value` as its progress, then do as `hold` does; how a task reports is the engine's, so bring one of your own."""
    raise NotImplementedError(
        "Bring a task that reports progress as your engine has it, and return its name from `task_name`."
    )


_FUNCTIONS = (
    echo,
    add,
    nothing,
    now,
    fail,
    fail_at_length,
    fail_strangely,
    return_a_set,
    note,
    hold,
    flaky,
    progress,
)
TASKS: dict[str, Callable[..., Any]] = {f"{__name__}.{function.__name__}": function for function in _FUNCTIONS}
"""What a worker has to know, by the names under which the suite submits."""
