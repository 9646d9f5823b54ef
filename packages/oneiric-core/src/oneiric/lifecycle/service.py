"""An adapter in service: which calls are under way on it, so that it can be drained before it is cleaned up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oneiric.errors import OneiricError
from oneiric.masking import hide_secrets, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from oneiric.adapters.base import Adapter, Health
    from oneiric.config import Instance


class Service:
    """One initialised adapter, with the config that it was made from and the number of calls under way."""

    __slots__ = (
        "_drained_until",
        "_has_waited",
        "_idle",
        "adapter",
        "calls",
        "config",
        "lasting",
        "secrets",
        "successor",
        "swapped_at",
    )

    def __init__(self, adapter: Adapter, config: Instance, secrets: Collection[str] = ()) -> None:
        self.adapter = adapter
        self.config = config
        self.secrets = secrets
        """What must not show in any error that comes out of it."""
        self.calls = 0
        """Those under way, which a drain waits for."""
        self.lasting = 0
        """Those that are awaited, and that end with the adapter's cleanup."""
        self.successor: Service | None = None
        """The one that it was swapped for."""
        self.swapped_at: datetime | None = None
        self._drained_until: float | None = None
        """On the event loop's clock."""
        self._idle: Callable[[], object] | None = None
        self._has_waited = False

    def ended(self) -> None:
        """One call is over; in whatever thread."""
        self.calls -= 1
        if self._idle is not None and not self.calls:
            self._idle()

    def hide_secrets(self, error: BaseException) -> None:
        """Take the adapter's secrets out of an error of its, and of everything that one was raised from.

        Raises OneiricError in the place of one that shows a secret whatever is done to it.
        """
        hide_or_replace(error, self.secrets, self.config.name)

    def shown(self, health: Health) -> Health:
        """The answer of the adapter's health check, without the adapter's secrets."""
        return replace(health, ok=bool(health.ok), detail=without_secrets(str(health.detail or ""), self.secrets))

    def replaced_by(self, successor: Service) -> None:
        """Let calls that last go on there, once this adapter is cleaned up."""
        self.successor, self.swapped_at = successor, datetime.now(UTC)

    def wait_no_more(self) -> None:
        """Let no drain wait from now on."""
        self._has_waited = True

    async def drain(self, timeout: float) -> bool:
        """Wait until no call is under way, `timeout` seconds at most and only once; whether it has not been in vain."""
        loop = asyncio.get_running_loop()
        if self._drained_until is None:
            self._drained_until = loop.time() + timeout
        if not self.calls or self._has_waited:
            return True
        idle = asyncio.Event()
        self._idle = lambda: loop.call_soon_threadsafe(idle.set)
        try:
            async with asyncio.timeout(timeout):
                while self.calls:  # one may begin again: an iterator that failed, and is tried once more
                    idle.clear()
                    await idle.wait()
        except TimeoutError:
            self._has_waited = True
        finally:
            self._idle = None
        return not self.calls

    def left_to_drain(self) -> float:
        """The seconds of the drain that are left for calls which end only with the adapter's cleanup, where there are any."""
        if not self.lasting or self._has_waited or self._drained_until is None:
            return 0.0
        return max(0.0, self._drained_until - asyncio.get_running_loop().time())


def hide_or_replace(error: BaseException, secrets: Collection[str], name: str) -> None:
    """Take the secrets of an instance out of an error. Raises OneiricError in the place of one that shows one all the same."""
    if hide_secrets(error, secrets):
        return
    other = OneiricError(f"`{name}` raised {type(error).__name__}, whose message holds a secret.", adapter=name)
    try:
        raise other
    finally:
        other.__context__ = None  # that one, which `from None` would only keep out of a traceback
