"""Adapters driven by hypothesis: an event loop that outlives one example, and how many examples there are."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from oneiric.adapters.base import Adapter

EXAMPLES = settings(
    max_examples=25,
    stateful_step_count=20,
    # The same examples in every run, on every machine: whether an adapter conforms must not be a matter of luck, and a
    # passport must be one that others get too. Nothing is remembered in the author's folder for the same reason.
    derandomize=True,
    database=None,
    # Backends are slow now and then; a call that doesn't end is caught by its own deadline.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    print_blob=False,
)
"""Enough to find what is wrong, within seconds; a failing example is shrunk to the shortest that fails."""

PATIENT_EXAMPLES = settings(
    EXAMPLES,
    max_examples=15,
    stateful_step_count=15,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
)
"""Where what is wrong shows by something that doesn't come: it is waited for once, and not in each shorter example too."""


@contextmanager
def driven(
    make: Callable[..., Any], reference: Adapter | None = None
) -> Iterator[tuple[Any, Callable[[Coroutine[Any, Any, Any]], Any]]]:
    """An adapter and a function that runs a coroutine to its end, for a test that isn't async itself.

    The adapter is initialised, and so is the reference, where one is given.
    """
    adapter = make()
    adapters = [each for each in (adapter, reference) if each is not None]
    with asyncio.Runner() as runner:
        try:
            for each in adapters:
                runner.run(each.init())
            yield adapter, runner.run
        finally:
            for each in adapters:
                runner.run(each.cleanup())
