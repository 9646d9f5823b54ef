"""How far a connection test has come: its stages, the time that is left, and the answer that comes of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oneiric.diagnostics.failures import error_class_of, next_step_of, sentence_of, stage_of
from oneiric.diagnostics.result import ConnectionTest, Stage, StageName, StageStatus
from oneiric.errors import OneiricError
from oneiric.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_ALL_STAGES = 3
"""How many times the deadline of one stage all of them together may take."""


class Progress:
    """What one connection test has found so far. `timeout` (seconds) bounds each stage, three times that all of them."""

    def __init__(self, timeout: float, *, is_open: bool) -> None:
        self.timeout = timeout
        self.is_open = is_open
        """Whether sentences of the adapter are shown; if not, one of ours stands for each, by the error's class."""
        self.secrets: Collection[str] = ()
        """What is struck out of every sentence."""
        self._started = time.perf_counter()
        self._is_ours = True
        self._stages: dict[StageName, Stage] = {}

    def seconds(self) -> float:
        """How long the next stage may take."""
        left = self._started + _ALL_STAGES * self.timeout - time.perf_counter()
        return max(0.001, min(self.timeout, left))

    @contextmanager
    def stage(self, name: StageName) -> Iterator[list[str]]:
        """Time a stage. What is put into the list is its detail; an error fails it, or the one that the error belongs to."""
        started = time.perf_counter()
        is_adapters = name in (StageName.AUTHENTICATE, StageName.PING)
        self._is_ours = self.is_open or not is_adapters
        details: list[str] = []
        try:
            yield details
        except OneiricError as error:
            failed = stage_of(error) if name is StageName.AUTHENTICATE else name
            self._stages[failed] = Stage(name=failed, status=StageStatus.FAILED, latency_ms=_since(started))
            raise
        detail = without_secrets("; ".join(details), self.secrets)
        self._stages[name] = Stage(name=name, status=StageStatus.PASSED, latency_ms=_since(started), detail=detail)

    def skip(self, name: StageName, reason: str) -> None:
        """Leave a stage out."""
        self._stages[name] = Stage(name=name, status=StageStatus.SKIPPED, detail=reason)

    def answer(self, error: OneiricError | None) -> ConnectionTest:
        """The test's result."""
        return ConnectionTest(
            success=error is None,
            latency_ms=_since(self._started),
            stages=list(self._listed()),
            error=self._shown(sentence_of(error, is_ours=self._is_ours)) if error else None,
            error_class=error_class_of(error) if error else None,
            next_step=self._shown(next_step_of(error, is_ours=self._is_ours)) if error else None,
        )

    def _listed(self) -> Iterator[Stage]:
        """All stages; those behind the one that failed count as not reached, whatever was found of them before."""
        is_over = False
        for name in StageName:
            stage = self._stages.get(name)
            if is_over or stage is None:
                yield Stage(name=name, status=StageStatus.SKIPPED, detail="Not reached.")
                is_over = True
            else:
                yield stage
                is_over = stage.status is StageStatus.FAILED

    def _shown(self, sentence: str) -> str:
        return " ".join(without_secrets(sentence, self.secrets).split())[:_LONGEST]


_LONGEST = 600
"""How many characters of a sentence are shown."""


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
