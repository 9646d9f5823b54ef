"""`oneiric-messages dead`: list, replay and purge."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from oneiric.adapters.messaging import Message
    from oneiric_redis_pubsub import RedisStreamAdapter


async def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from oneiric_redis_pubsub.commands import main; main()"
    command = [sys.executable, "-c", program, "dead", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
async def poisoned(
    streams: Callable[..., Awaitable[RedisStreamAdapter]],
    queue: str,
    begun: Callable[[Any], asyncio.Task[Any]],
    until: Callable[..., Awaitable[None]],
) -> RedisStreamAdapter:
    """A bus with two dead letters in `queue`, whose consumer has ended."""
    bus = await streams()

    async def handle(message: Message) -> None:
        raise ValueError("a\nb \x1b[31m")

    consumer = begun(bus.consume(queue, handle))
    await bus.publish_many(queue, [{"n": 1}, {"n": 2}])

    async def are_dead() -> bool:
        return len(await bus.dead_letters(queue)) == 2

    await until(are_dead)
    consumer.cancel()
    await asyncio.wait({consumer})
    return bus


async def test_dead_letters_are_listed_replayed_and_purged(
    poisoned: RedisStreamAdapter,
    url: str,
    queue: str,
    tmp_path: Path,
    begun: Callable[[Any], asyncio.Task[Any]],
    until: Callable[..., Awaitable[None]],
) -> None:
    (tmp_path / "oneiric.yaml").write_text(f"adapters:\n  mail:\n    adapter: redis-streams\n    url: {url}\n")
    here = (queue, "--instance", "mail")
    listed = await run("list", *here, "--json", folder=tmp_path)
    assert listed.returncode == 0, listed.stderr
    one, other = json.loads(listed.stdout)
    assert (one["message"]["body"], other["message"]["body"]) == ({"n": 1}, {"n": 2})
    assert one["message"]["delivery_count"] == 3
    assert [entry["delivery"] for entry in one["history"]] == [1, 2, 3]
    assert {entry["error"] for entry in one["history"]} == {one["error"]} == {"ValueError: a\nb \x1b[31m"}

    shown = await run("list", *here, folder=tmp_path)
    assert len(shown.stdout.splitlines()) == 2
    assert "\x1b" not in shown.stdout

    replayed = await run("replay", *here, "--id", one["id"], "--json", folder=tmp_path)
    assert json.loads(replayed.stdout) == {"replayed": 1}
    received: list[tuple[str, int]] = []

    async def handle(message: Message) -> None:
        received.append((message.id, message.delivery_count))

    begun(poisoned.consume(queue, handle))
    await until(lambda: received)
    assert received == [(one["message"]["id"], 1)]

    purged = await run("purge", *here, "--all", folder=tmp_path)
    assert purged.stdout == "1 purged.\n"
    assert (await run("list", *here, folder=tmp_path)).stdout == "There are no dead letters.\n"


async def test_a_replayed_message_goes_to_its_group_alone(
    poisoned: RedisStreamAdapter,
    queue: str,
    begun: Callable[[Any], asyncio.Task[Any]],
    until: Callable[..., Awaitable[None]],
) -> None:
    other: list[int] = []
    ours: list[int] = []

    async def of_other(message: Message) -> None:
        other.append(message["n"])

    async def of_ours(message: Message) -> None:
        ours.append(message["n"])

    begun(poisoned.consume(queue, of_other, group="other"))
    await until(lambda: len(other) == 2)
    assert await poisoned.letters(queue).replay() == 2
    begun(poisoned.consume(queue, of_ours))
    await until(lambda: len(ours) == 2)
    assert (sorted(ours), other) == ([1, 2], [1, 2])


async def test_a_dead_letter_whose_message_was_trimmed_is_published_anew(
    poisoned: RedisStreamAdapter,
    queue: str,
    begun: Callable[[Any], asyncio.Task[Any]],
    until: Callable[..., Awaitable[None]],
) -> None:
    await poisoned.raw.xtrim(f"oneiric:stream:{queue}", maxlen=0, approximate=False)
    ours: list[int] = []

    async def handle(message: Message) -> None:
        ours.append(message["n"])

    assert await poisoned.letters(queue).replay() == 2
    begun(poisoned.consume(queue, handle))
    await until(lambda: sorted(ours) == [1, 2])
    assert await poisoned.dead_letters(queue) == []


async def test_what_is_called_wrongly_is_told(url: str, queue: str, tmp_path: Path) -> None:
    assert "--all" in (await run("purge", queue, "--url", url, folder=tmp_path)).stderr
    unknown = await run("list", queue, folder=tmp_path)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "redis-streams" in unknown.stderr
    refused = await run("list", queue, "--url", "redis://127.0.0.1:1/0", folder=tmp_path)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
