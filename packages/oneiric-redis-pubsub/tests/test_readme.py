"""What the README shows is done, and its ACL is enough."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import Redis

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.messaging import Message
    from oneiric.testing.valkey import ValkeyServer

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("tea customer 7 1\n", "")


async def test_a_user_of_that_acl_can_publish_consume_and_subscribe(
    own_server: Callable[..., ValkeyServer], streams: Any, begun: Any, until: Any
) -> None:
    rules = re.findall(r"(?<=[ `\n])\+[@a-z|]+", README.partition("A user of an ACL")[2])
    assert len(rules) > 10
    server = own_server()
    with Redis(port=server.port) as client:
        client.execute_command(
            "ACL", "SETUSER", "app", "on", ">hunter2", *rules, "~oneiric:*", "resetchannels", "&oneiric:live:*"
        )
    bus = await streams(url=server.url, username="app", password="hunter2", retention=1)
    received: list[tuple[str | None, int]] = []

    async def handle(message: Message) -> None:
        received.append((message.key, message.delivery_count))
        if message["n"] < 2:
            raise ValueError("poison")

    begun(bus.consume("q", handle, concurrency=2))
    await bus.publish("q", {"n": 1}, key="k", idempotency_key="i")
    await bus.publish("q", {"n": 2}, key="k")

    async def is_done() -> bool:
        return len(await bus.dead_letters("q")) == 1 and len(received) == 4

    await until(is_done)
    messages = bus.subscribe("q", since="0")
    assert (await asyncio.wait_for(anext(messages), 10))["n"] == 1
    await messages.aclose()
    assert await bus.letters("q").replay() == 1
    assert await bus.health()
