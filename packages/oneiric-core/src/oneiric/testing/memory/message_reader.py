"""Who receives messages in memory: a consumer with its callback, or a subscriber who asks for one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneiric.adapters.messaging.base import Callback, Gap, Message, OnGap
    from oneiric.testing.memory.message_log import Backlog, Delivery, MessageLog

logger = logging.getLogger("oneiric.testing.memory")


class MessageReader:
    """Reads a backlog until it is stopped."""

    def __init__(self, log: MessageLog, backlog: Backlog, on_gap: OnGap | None) -> None:
        self.log = log
        self.backlog = backlog
        self.gaps: deque[Gap] = deque()
        self.is_stopped = False
        self._on_gap = on_gap

    def stop(self) -> None:
        """Let it end when it is done with what it has begun."""
        self.is_stopped = True
        self.log.change.tell()

    async def next(self) -> Message | None:
        """The next message, which counts as handled; None where there will be none."""
        while not self.is_stopped:
            await self.tell_gaps()
            delivery = self.backlog.take()
            if delivery is not None:
                self.backlog.remove(delivery)
                return delivery.published.message(delivery.count)
            await self.log.change.wait()
        return None

    async def tell_gaps(self) -> None:
        """Tell of the gaps that were reported."""
        while self.gaps:
            gap = self.gaps.popleft()
            try:
                await (self._on_gap or _unheard)(gap)
            except Exception:
                logger.exception("`on_gap` has raised.")


class MessageConsumer(MessageReader):
    """Awaits a callback for each message, several at a time where it may."""

    def __init__(
        self,
        log: MessageLog,
        backlog: Backlog,
        on_gap: OnGap | None,
        *,
        callback: Callback,
        concurrency: int,
        deliveries: int | None,
    ) -> None:
        super().__init__(log, backlog, on_gap)
        self.handling: set[asyncio.Task[None]] = set()
        self.ended = asyncio.get_running_loop().create_future()
        self._callback = callback
        self._concurrency = concurrency
        self._deliveries = deliveries
        """How often a message may be given; None for without end."""

    async def run(self) -> None:
        """Consume until stopped or cancelled, and finish what was begun; what a second cancel ends is given again."""
        try:
            while not self.is_stopped:
                await self.tell_gaps()
                self._begin()
                await self.log.change.wait()
        finally:
            try:
                while self.handling:
                    await asyncio.wait(self.handling)
            finally:
                self.abandon()
                self.ended.set_result(None)

    def abandon(self) -> None:
        """Cancel the callbacks that still run."""
        for task in self.handling:
            task.cancel()

    def _begin(self) -> None:
        while len(self.handling) < self._concurrency and (delivery := self.backlog.take()):
            task = asyncio.create_task(self._handle(delivery))
            self.handling.add(task)
            task.add_done_callback(self._handled)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            await self._callback(delivery.published.message(delivery.count))
        except Exception as error:
            logger.exception("A callback has raised.")
            self._failed(delivery, f"{type(error).__name__}: {error}")
        except BaseException:
            self.backlog.give_back(delivery)
            raise
        else:
            self.backlog.remove(delivery)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self.handling.discard(task)
        self.log.change.tell()

    def _failed(self, delivery: Delivery, error: str) -> None:
        if self._deliveries is None or delivery.count < self._deliveries:
            self.backlog.give_back(delivery)
        else:
            self.backlog.bury(delivery, error)


async def _unheard(gap: Gap) -> None:
    logger.warning("Messages may have been lost: %s", gap.reason)
