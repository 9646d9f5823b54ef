"""The messages that a consumer has: waiting for a worker, being handled, and waiting to be tried again."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oneiric.errors import OneiricError

from oneiric_redis_pubsub.inbox import Inbox
from oneiric_redis_pubsub.streams.membership import Lost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from oneiric_redis_pubsub.settings import RedisStreamSettings
    from oneiric_redis_pubsub.streams.entry import Delivery
    from oneiric_redis_pubsub.streams.membership import Membership

logger = logging.getLogger("oneiric_redis_pubsub")

_AHEAD = 0.1
"""Seconds of work that are read ahead: where a callback is slow, others of the group are to have the messages instead."""
_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_LONGEST_ERROR = 2000
_OF_NO_MESSAGE = "InvalidMessage: the entry's `body` is no JSON object."
_OF_A_DEAD_CONSUMER = "Its consumer ended, or was silent, while it had the message."


class Holdings:
    """Each message is in `held` from its reading until the server knows what became of it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, membership: Membership, settings: RedisStreamSettings, concurrency: int
    ) -> None:
        self._loop = loop
        self._membership = membership
        self._settings = settings
        self._concurrency = concurrency
        self.held: dict[bytes, Delivery] = {}
        self._ready: Inbox[Delivery] = Inbox(settings.batch)
        self._busy = 0
        self._duration = _AHEAD
        """How long a callback takes, on average."""
        self._retries: dict[Delivery, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._handled: list[Delivery] = []
        self._acknowledging: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        """Set where there is room for more."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is begun."""
        return self._ready.is_closed

    @property
    def has_idle_workers(self) -> bool:
        """Whether a worker has nothing to do."""
        return self._busy < self._concurrency and not len(self._ready)

    def close(self, error: BaseException | None = None) -> None:
        """Begin nothing more; the workers end, with the error where there is one."""
        self._ready.close(error)
        self._wanted.set()

    async def wanted(self) -> int:
        """How many messages to read; waits until there is use for some. 0 once nothing more is begun."""
        while not self.is_closed:
            self._wanted.clear()
            ahead = int(self._concurrency * _AHEAD / max(self._duration, 1e-6))
            target = min(max(self._concurrency, ahead), self._settings.batch + self._concurrency)
            room = target - self._busy - len(self._ready)
            if room >= max(1, (target - self._concurrency) // 2):
                return min(room, self._settings.batch)
            await self._wanted.wait()
        return 0

    async def next(self) -> Delivery | None:
        """The next message for a worker, who is busy until it asks again; None when it is to end."""
        while True:
            self._wanted.set()
            delivery = await self._ready.get()
            if delivery is None:
                return None
            if not delivery.is_lost:
                self._busy += 1
                return delivery

    async def begin(self, delivery: Delivery) -> bool:
        """A worker begins a message; whether it is to."""
        if delivery.is_again:
            is_ours = False

            async def retake() -> None:
                nonlocal is_ours
                is_ours = await self._membership.retake(delivery)

            await self._insist(retake)
            if not is_ours:
                self._free()
                await self.lost([delivery.id])
                return False
            delivery.is_again = False
        delivery.is_begun = True
        return True

    def took(self, seconds: float) -> None:
        """A callback has taken so long."""
        self._duration += (seconds - self._duration) / 8

    async def accept(self, deliveries: Iterable[Delivery]) -> None:
        """Messages have come. One whose key has another under way waits for that: here, or where that is."""
        asked: dict[bytes, Delivery] = {}
        for delivery in deliveries:
            if delivery.id in self.held:
                continue
            delivery.since = self._loop.time()
            after = delivery.fields.get(b"after")
            before = None if after is None or after in asked else self.held.get(after)
            if after is None:
                self._begin(delivery)
            elif before is not None and before.follower is None and not before.is_lost:
                self.held[delivery.id] = before.follower = delivery
            else:
                asked[delivery.id] = delivery
        if asked:
            pairs = [(delivery.id, delivery.fields[b"after"]) for delivery in asked.values()]
            may = await self._membership.may_begin(pairs)
            for delivery, is_free in zip(asked.values(), may, strict=True):
                if is_free:
                    self._begin(delivery)

    def _begin(self, delivery: Delivery) -> None:
        self.held[delivery.id] = delivery
        self._ready.put(delivery)

    def handled(self, delivery: Delivery) -> None:
        """A message without a key was handled; it is acknowledged soon, with others."""
        self._free()
        self._handled.append(delivery)
        if self._acknowledging is None:
            self._acknowledging = self._loop.create_task(self._acknowledge(), name="oneiric-redis-acknowledging")

    async def handled_keyed(self, delivery: Delivery) -> None:
        """A message with a key was handled; the next of its key begins once it is acknowledged."""
        self._free()
        self._spawn(self._finish(delivery, lambda: self._membership.acknowledge_keyed(delivery)))

    async def reject(self, delivery: Delivery) -> None:
        """What was added by another client is no message: put it aside."""
        self._note(delivery, _OF_NO_MESSAGE)
        self._free()
        self._spawn(self._finish(delivery, lambda: self._membership.bury(delivery, _OF_NO_MESSAGE)))

    async def failed(self, delivery: Delivery, error: str) -> None:
        """A callback has raised: try again later, or put the message aside."""
        error = error[:_LONGEST_ERROR].encode(errors="replace").decode()
        self._note(delivery, error)
        self._free()
        if delivery.count >= self._settings.max_deliveries:
            self._spawn(self._finish(delivery, lambda: self._membership.bury(delivery, error)))
            return
        pause = min(self._settings.retry_backoff * 2 ** (delivery.count - 1), self._settings.retry_backoff_max)
        self._spawn(self._insist(lambda: self._membership.remember(delivery)))
        if not self.is_closed:
            self._retries[delivery] = self._loop.call_later(pause, self._retry, delivery)

    async def reclaimed(self, deliveries: Iterable[Delivery]) -> None:
        """Messages were taken over; those that were given too often are put aside."""
        for delivery in deliveries:
            if delivery.id in self.held:
                continue
            if delivery.count >= self._settings.max_deliveries:
                self.held[delivery.id] = delivery
                self._note(delivery, _OF_A_DEAD_CONSUMER)
                await self._finish(delivery, lambda each=delivery: self._membership.bury(each, _OF_A_DEAD_CONSUMER))  # type: ignore[misc]
                continue
            delivery.is_again = True
            delivery.since = self._loop.time()
            self._begin(delivery)

    async def lost(self, ids: Iterable[bytes]) -> None:
        """Others have taken these messages over; what waits here for one of them waits there from now on."""
        followers = []
        for each in ids:
            delivery = self.held.pop(each, None)
            if delivery is not None:
                delivery.is_lost = True
                self._forget_retry(delivery)
                followers += self._let_go_of_followers(delivery)
        if followers:
            await self.accept(followers)

    def _let_go_of_followers(self, delivery: Delivery) -> list[Delivery]:
        follower, delivery.follower = delivery.follower, None
        if follower is None or follower.is_lost:
            return []
        self.held.pop(follower.id, None)
        return [follower, *self._let_go_of_followers(follower)]

    async def give_up_waiting(self, since: float) -> None:
        """Let others have what waits for a worker since then: our callbacks have become slow."""
        waiting = [each for each in self._ready.items() if each.since < since and each.follower is None]
        for each in waiting:  # before anything is awaited, in which a worker could begin it
            each.is_lost = True
            self.held.pop(each.id, None)
        await self._membership.hand_back(waiting)

    async def settle(self) -> None:
        """Wait until all that was handled is acknowledged, and hand back the rest."""
        while tasks := {*self._tasks} | ({self._acknowledging} if self._acknowledging else set()):
            await asyncio.wait(tasks)
        for delivery in [*self._retries]:
            self._forget_retry(delivery)
        await self._membership.hand_back([*self.held.values()])
        self.held.clear()

    async def abort(self) -> None:
        """Leave no task behind."""
        for delivery in [*self._retries]:
            self._forget_retry(delivery)
        tasks = {*self._tasks} | ({self._acknowledging} if self._acknowledging else set())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _free(self) -> None:
        self._busy -= 1

    def _note(self, delivery: Delivery, error: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        delivery.history.append(
            {"delivery": delivery.count, "at": at, "consumer": self._membership.name, "error": error}
        )

    def _retry(self, delivery: Delivery) -> None:
        self._retries.pop(delivery, None)
        delivery.is_again, delivery.is_begun = True, False
        delivery.since = self._loop.time()
        self._ready.put(delivery)

    async def _finish(self, delivery: Delivery, tell: Callable[[], Awaitable[Delivery | None]]) -> None:
        """Tell the server what became of a message; then let the next of its key begin."""

        async def finish() -> None:
            try:
                elsewhere = await tell()
            except Lost:
                await self.lost([delivery.id])
                return
            self.held.pop(delivery.id, None)
            followers = {each.id: each for each in (elsewhere, delivery.follower) if each is not None}
            for follower in followers.values():
                if not follower.is_lost:
                    self._begin(follower)

        await self._insist(finish)

    async def _acknowledge(self) -> None:
        try:
            while self._handled:
                batch, self._handled = self._handled, []
                await self._insist(lambda: self._acknowledge_all(batch))  # noqa: B023 - it is awaited here
        finally:
            self._acknowledging = None

    async def _acknowledge_all(self, batch: list[Delivery]) -> None:
        await self._membership.acknowledge([each.id for each in batch if not each.is_lost])
        for each in batch:
            self.held.pop(each.id, None)
        tried = [each.id for each in batch if each.count > 1]
        if tried:
            await self._membership.forget(tried)

    async def _insist(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell the server something, again and again while it can't hear: what is not told is given to another later."""
        pause = _PAUSE
        while True:
            try:
                return await tell()
            except OneiricError as error:
                if not error.transient or self.is_closed:
                    logger.warning("The server couldn't be told what became of a message: %s", error.message)
                    return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget_retry(self, delivery: Delivery) -> None:
        timer = self._retries.pop(delivery, None)
        if timer is not None:
            timer.cancel()
