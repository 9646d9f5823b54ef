"""Forks consumers on demand, so that one that was killed is replaced within milliseconds: no test, a program for tests.

`python nursery.py URL QUEUE`: each line on stdin makes a consumer, whose process id is printed. What a consumer has handled it
writes into the lists `handled:QUEUE` and `order:QUEUE:KEY`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from oneiric_redis_pubsub.streams.adapter import RedisStreamAdapter

SETTINGS = {"heartbeat": 0.4, "retry_backoff": 0.02, "max_deliveries": 5}


async def consume(url: str, queue: str) -> None:
    async with RedisStreamAdapter({"url": url, **SETTINGS}) as bus:
        raw = bus.raw

        async def handle(message):
            if message.get("poison"):
                raise ValueError("poison")
            await asyncio.sleep(0.001)
            if message.key is not None:
                await raw.rpush(f"order:{queue}:{message.key}", message["n"])
            await raw.rpush(f"handled:{queue}", message["n"])

        await bus.consume(queue, handle, concurrency=8)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            sys.stdin.close()
            import logging

            logging.disable()
            asyncio.run(consume(*sys.argv[1:3]))
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
