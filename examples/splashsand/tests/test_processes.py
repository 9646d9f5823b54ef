"""Publisher and subscriber in processes of their own, on real servers; and each of them killed in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric import AdapterManager
from oneiric.adapters.messaging import MessageAdapter

from splashsand import SplashSandEvents
from splashsand.demo import demo
from splashsand.follower import following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_CONFIG = """\
adapters:
  live: {{adapter: redis-pubsub, url: "embedded://{name}"}}
  kept: {{adapter: redis-streams, url: "embedded://{name}", heartbeat: 0.5}}
"""
_PUBLISHER = """
import asyncio, sys
from oneiric import AdapterManager
from oneiric.adapters.messaging import MessageAdapter
from splashsand import SplashSandEvents

async def main():
    async with AdapterManager.from_config("oneiric.yaml") as adapters:
        events = SplashSandEvents(await adapters.get("kept", MessageAdapter))
        for number in range(1_000_000):
            await events.publish_deployment_event("beach", "deployed", {"number": number})
            print(number, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in [name for name in os.environ if name.startswith("ONEIRIC_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "oneiric.yaml").write_text(_CONFIG.format(name=f"sps-{uuid4().hex[:12]}"), encoding="utf-8")
    return tmp_path


@asynccontextmanager
async def events_over(folder: Path, instance: str) -> AsyncIterator[SplashSandEvents]:
    async with AdapterManager.from_config(folder / "oneiric.yaml") as adapters:
        yield SplashSandEvents(await adapters.get(instance, MessageAdapter))


async def publish(events: SplashSandEvents, numbers: range) -> set[int]:
    for number in numbers:
        await events.publish_deployment_event("beach", "deployed", {"number": number})
    return set(numbers)


async def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "splashsand", *arguments),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_events_are_live_over_pubsub(folder: Path) -> None:
    async with events_over(folder, "live") as events, following(folder, "*", instance="live") as follower:
        await follower.listens(lambda: events.publish_deployment_event("beach", "ping"))
        await follower.has_heard(await publish(events, range(100)))
    assert follower.numbers == list(range(100))
    assert {event["sandcastle"] for event in follower.heard} == {"beach"}


async def test_over_streams_a_subscriber_that_was_down_is_told_later(folder: Path) -> None:
    async with events_over(folder, "kept") as events:
        await publish(events, range(50))  # before it has ever been there
        async with following(folder, "beach", instance="kept", subscriber="dashboard") as first:
            await first.has_heard(set(range(50)))
            under_way = asyncio.create_task(publish(events, range(50, 400)))
            await first.has_heard(set(range(80)))
            await first.kill()
            assert len(first.numbers) < 400, "it was killed too late"
            await under_way
        await publish(events, range(400, 450))
        async with following(folder, "beach", instance="kept", subscriber="dashboard") as second:
            await second.has_heard(set(range(450)) - set(first.numbers))
        async with following(folder, "beach", instance="kept", subscriber="audit") as other:
            await other.has_heard(set(range(450)))
    assert set(first.numbers) | set(second.numbers) == set(range(450))
    assert other.numbers == list(range(450))


async def test_what_a_publisher_has_published_before_it_was_killed_is_heard(folder: Path) -> None:
    async with events_over(folder, "kept"), following(folder, "beach", instance="kept") as follower:
        publisher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PUBLISHER), cwd=folder, stdout=asyncio.subprocess.PIPE
        )
        await follower.has_heard({20})
        publisher.kill()
        output, _ = await publisher.communicate()
        published = {int(line) for line in output.split()}
        await follower.has_heard(published)
    assert follower.numbers == sorted(set(follower.numbers))


async def test_the_command_publishes(folder: Path) -> None:
    async with events_over(folder, "kept"):
        code, output, errors = await run(
            folder, "--instance", "kept", "publish", "beach", "deployed", "--data", '{"number": 7}'
        )
        assert code == 0, errors
        async with following(folder, "beach", instance="kept") as follower:
            await follower.has_heard({7})
    event: dict[str, Any] = follower.heard[0]
    assert event == {
        "id": output.strip(), "sandcastle": "beach", "event": "deployed", "data": {"number": 7}, "delivery": 1,
    }  # fmt: skip
    assert json.loads(json.dumps(event)) == event


async def test_the_command_says_what_is_wrong(folder: Path) -> None:
    code, _, errors = await run(folder, "--instance", "kept", "publish", "a b", "deployed")
    assert (code, errors.startswith("Error: The name of a sandcastle")) == (1, True)
    code, _, errors = await run(folder, "--instance", "nope", "follow", "beach")
    assert (code, errors.startswith("Error: No instance 'nope' is configured")) == (1, True)
    code, _, errors = await run(folder, "--instance", "kept", "publish", "beach", "deployed", "--data", "[]")
    assert (code, "Traceback" in errors) == (2, False)


async def test_the_demo(folder: Path) -> None:
    steps = dict([step async for step in demo(folder)])
    assert [outcome.rpartition(": ")[2].split(",")[0] for outcome in steps.values()] == ["20 lost", "0 lost"]
