"""`oneiric demo --app splashsand`: a subscriber is killed while events go on, over Pub/Sub and over Streams."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from oneiric import AdapterManager
from oneiric.adapters.messaging import MessageAdapter

from splashsand.events import SplashSandEvents
from splashsand.follower import following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from splashsand.follower import Follower

_CASTLE = "beach-7"
_EACH = 20
_PATIENCE = 50.0
_CONFIG = """\
adapters:
  live: {{adapter: redis-pubsub, url: "embedded://{name}"}}
  kept: {{adapter: redis-streams, url: "embedded://{name}"}}
"""


class _Deployer:
    """Publishes deployments, numbered."""

    def __init__(self, events: SplashSandEvents) -> None:
        self._events = events
        self._numbers = count(1)

    async def deploy(self, how_many: int = _EACH) -> set[int]:
        """Publish so many; returns their numbers."""
        published = set()
        for _ in range(how_many):
            number = next(self._numbers)
            await self._events.publish_deployment_event(
                _CASTLE, "deployed", {"number": number, "version": f"1.{number}"}
            )
            published.add(number)
        return published

    async def ping(self) -> None:
        """Publish one that is not numbered."""
        await self._events.publish_deployment_event(_CASTLE, "ping")


async def demo(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Publish and follow; gives each step and what came of it. Raises where something is not as it should be."""
    config = folder / "oneiric.yaml"
    config.write_text(_CONFIG.format(name=f"splashsand-{uuid4().hex[:8]}"), encoding="utf-8")
    async with asyncio.timeout(_PATIENCE), AdapterManager.from_config(config) as adapters:
        for instance, step in {"live": "redis-pubsub, live", "kept": "redis-streams, after the fact"}.items():
            bus = await adapters.get(instance, MessageAdapter)
            outcome = await _past_a_death(folder, instance, _Deployer(SplashSandEvents(bus)))
            yield f"follow a sandcastle over {step}", outcome


async def _past_a_death(folder: Path, instance: str, deployer: _Deployer) -> str:
    """Publish to a follower, while there is none, and to its successor; says what became of the events."""
    names: dict[str, Any] = {"instance": instance, "subscriber": "dashboard"}
    async with following(folder, _CASTLE, **names) as first:
        await first.listens(deployer.ping)
        before = await deployer.deploy()
        await first.has_heard(before)
        await first.kill()
    meanwhile = await deployer.deploy()
    async with following(folder, _CASTLE, **names) as second:
        await second.listens(deployer.ping)
        after = await deployer.deploy()
        is_kept = instance == "kept"
        await second.has_heard(after | meanwhile if is_kept else after)
    return _told(before, meanwhile, after, first, second, is_kept=is_kept)


def _told(
    before: set[int], meanwhile: set[int], after: set[int], first: Follower, second: Follower, *, is_kept: bool
) -> str:
    heard = set(first.numbers) | set(second.numbers)
    lost = (before | meanwhile | after) - heard
    if lost != (set() if is_kept else meanwhile):
        raise AssertionError(f"{len(lost)} events were lost")
    if second.numbers != sorted(second.numbers):
        raise AssertionError("events were handled out of their order")
    return (
        f"a process heard {len(first.numbers)} deployments and was killed; {len(meanwhile)} came while nobody listened; its "
        f"successor heard {len(second.numbers)}, in order: {len(lost)} lost"
        + ("" if is_kept else ", as Pub/Sub tells only who listens")
    )
