"""What the demo does with a message bus: a consumer in a process of its own is killed, and another takes its place."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from oneiric.adapters.messaging import AT_LEAST_ONCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from oneiric.adapters.messaging import MessageAdapter
    from oneiric.spec import AdapterSpec

_EACH = 20
"""Messages while the first consumer is there, while there is none, and while the second is there."""
_PATIENCE = 90.0


class _Consumer:
    """A process that consumes, and what it has handled."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.handled: Counter[int] = Counter()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.handled[int(line)] += 1

    async def has_handled(self, numbers: Iterable[int]) -> None:
        wanted = set(numbers)
        async with asyncio.timeout(_PATIENCE):
            while not wanted <= self.handled.keys():
                if self._reading.done():
                    raise AssertionError("the consumer's process has ended by itself")
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """As the system does that is short of memory; what it has handled is known then."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading


async def use_messaging(bus: MessageAdapter, spec: AdapterSpec, config: Mapping[str, Any]) -> str:
    """Publish past a consumer's death; returns what came of it. Raises where a message is lost that must not be."""
    queue = f"oneiric-demo-{uuid4().hex[:8]}"
    numbers = count(1)
    started = json.dumps({"adapter": spec.name, "config": dict(config), "queue": queue}).encode()

    async def publish(how_many: int) -> list[int]:
        published = [next(numbers) for _ in range(how_many)]
        for number in published:
            await bus.publish(queue, {"number": number})
        return published

    async with _consumer(started) as first:
        await _listens(first, publish)
        before = await publish(_EACH)
        await first.has_handled(before)
        await publish(_EACH // 2)  # under way when it is killed
        await first.kill()
    meanwhile = await publish(_EACH)
    async with _consumer(started) as second:
        await _listens(second, publish)
        after = await publish(_EACH)
        await second.has_handled(after)
        last = next(numbers)
        if AT_LEAST_ONCE in spec.capabilities:
            await second.has_handled(set(range(1, last)) - first.handled.keys())
        handled = first.handled + second.handled
    lost = set(range(1, last)) - handled.keys()
    twice = sum(times > 1 for times in handled.values())
    return (
        f"a consumer in a process of its own handled {first.handled.total()} messages and was killed; {len(meanwhile)} were "
        f"published before another took its place and handled {second.handled.total()}: of {last - 1}, {len(lost)} lost"
        f"{'' if AT_LEAST_ONCE in spec.capabilities else ', as nobody listened (it is at most once)'}, {twice} handled twice"
    )


@asynccontextmanager
async def _consumer(started: bytes) -> AsyncIterator[_Consumer]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "oneiric_mcp.demo.consumer"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(started)
    process.stdin.close()
    consumer = _Consumer(process)
    try:
        yield consumer
    finally:
        await consumer.kill()


async def _listens(consumer: _Consumer, publish: Any) -> None:
    """Publish until it handles something: a bus that is at most once gives it only what comes once it listens."""
    async with asyncio.timeout(_PATIENCE):
        while not consumer.handled:
            await publish(1)
            await asyncio.sleep(0.05)
