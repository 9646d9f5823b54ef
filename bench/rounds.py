"""Interleaved paired rounds: in each, ours and theirs do the same work one after the other, and the order changes.

A machine that is busy slows both of a round alike, so it is the ratio within a round that counts, and of all rounds'
ratios the median.
"""

from __future__ import annotations

import gc
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

Measurand = Callable[[], float | None] | Callable[[], Awaitable[float | None]]
"""Does some work once. It is timed; or it returns a cost of its own (seconds without the set-up, bytes, …)."""

LEAST_ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two ways to do one thing, and how ours has to compare; exactly one of `at_least` and `at_most`."""

    what: str
    """What is compared with whom, as a row's title."""
    ours: Measurand
    theirs: Measurand
    at_least: float | None = None
    """We are at least this many times as fast: the ratio is their cost by ours."""
    at_most: float | None = None
    """We cost at most this many times as much: the ratio is our cost by theirs."""

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.what!r} needs one of at_least and at_most")

    def ratio(self, ours: float, theirs: float) -> float:
        """The ratio that is held against the target."""
        return theirs / ours if self.at_most is None else ours / theirs

    def judge(self, ratio: float) -> bool:
        """Whether the target is met."""
        return ratio <= self.at_most if self.at_most is not None else ratio >= (self.at_least or 0)


@dataclass(frozen=True)
class Row:
    """What came out of a pair."""

    what: str
    ratio: float
    target: float
    ok: bool
    is_cost: bool
    """Whether the ratio should be at most the target (else at least)."""
    lowest: float
    highest: float
    rounds: int
    ours: float
    """Our median cost, in the measurand's unit (seconds, where it is timed)."""
    theirs: float

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


async def compare(pair: Pair, rounds: int) -> Row:
    """Measure a pair: one round to warm up, then the rounds that count."""
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"fewer than {LEAST_ROUNDS} rounds say nothing")
    await _round(pair, ours_first=True)
    costs = [await _round(pair, ours_first=number % 2 == 0) for number in range(rounds)]
    ratios = [pair.ratio(ours, theirs) for ours, theirs in costs]
    middle = median(ratios)
    return Row(
        what=pair.what,
        ratio=round(middle, 3),
        target=pair.at_least if pair.at_least is not None else pair.at_most or 0.0,
        ok=pair.judge(middle),
        is_cost=pair.at_most is not None,
        lowest=round(min(ratios), 3),
        highest=round(max(ratios), 3),
        rounds=rounds,
        ours=median(ours for ours, _ in costs),
        theirs=median(theirs for _, theirs in costs),
    )


async def _round(pair: Pair, *, ours_first: bool) -> tuple[float, float]:
    if ours_first:
        ours = await _cost(pair.ours)
        return ours, await _cost(pair.theirs)
    theirs = await _cost(pair.theirs)
    return await _cost(pair.ours), theirs


async def _cost(measurand: Measurand) -> float:
    gc.collect()  # what one leaves behind is not the other's to clear away
    start = time.perf_counter()
    outcome = measurand()
    if inspect.isawaitable(outcome):
        outcome = await outcome
    return time.perf_counter() - start if outcome is None else outcome
