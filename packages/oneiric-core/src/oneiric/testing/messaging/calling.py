"""The calls themselves, cancelled at each of their awaits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.testing.cancelling import each_cancelled
from oneiric.testing.messaging.under_test import MessagingUnderTest
from oneiric.testing.patience import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from oneiric.adapters.messaging.base import MessageAdapter


class CallTests(MessagingUnderTest):
    """What holds of `publish` and `publish_many`, whatever they publish."""

    @pytest.mark.parametrize("method", ["publish", "publish_many"])
    async def test_a_call_that_is_cancelled_anywhere_leaves_the_adapter_usable(
        self, adapter: MessageAdapter, new_queue: str, method: str
    ) -> None:
        """It ends as cancelled; what is published after it arrives once, under the id that its publish returns."""

        def begin() -> Coroutine[Any, Any, Any]:
            if method == "publish":
                return adapter.publish(new_queue, {"cancelled": True})
            return adapter.publish_many(new_queue, [{"cancelled": True}] * 3)

        ids: list[str] = []
        async with self.consumer(adapter, new_queue) as consumer:
            async for done in each_cancelled(begin, f"{method}()"):
                try:
                    async with asyncio.timeout(PATIENCE):
                        ids.append(await adapter.publish(new_queue, {"n": len(ids)}))
                except TimeoutError:
                    pytest.fail(f"{done}, and the next does not end within {PATIENCE:.0f} s.")
            await until(
                lambda: sum("n" in message for message in consumer.received) >= len(ids),
                "A message that was published after a publish that was cancelled never arrives.",
            )
        arrived = [(message["n"], message.id) for message in consumer.received if "n" in message]
        assert arrived == [*enumerate(ids)], (
            "What is published after a publish that was cancelled has another's id or place."
        )
