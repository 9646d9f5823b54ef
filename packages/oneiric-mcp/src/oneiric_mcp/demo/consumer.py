"""The process of the demo that consumes messages: it writes the number of each that it has handled, a line each."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from oneiric.adapters.messaging import MessageAdapter
from oneiric.config import ConfigStore, Instance
from oneiric.discovery import discover
from oneiric.lifecycle import AdapterManager

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.adapters.messaging import Message


async def _consume(adapter: str, config: Mapping[str, Any], queue: str) -> None:
    async with AdapterManager(ConfigStore({adapter: Instance(adapter, adapter, config)}), discover()) as adapters:
        bus = await adapters.get(adapter, MessageAdapter)
        await bus.consume(queue, _write)


async def _write(message: Message) -> None:
    print(message["number"], flush=True)


if __name__ == "__main__":
    asyncio.run(_consume(**json.load(sys.stdin)))
