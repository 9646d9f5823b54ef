"""The orchestrator and a server that lies, in processes of their own: each lie has its own clear error, within its deadline."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oneiric.config import Instance

from mahavishnu.known import Snapshot, write_snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Site

_LIAR = Path(__file__).with_name("liar.py")


@asynccontextmanager
async def lying(lie: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(_LIAR), lie), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        (
            "os_system",
            "says that `redis-streams` is the class 'os:system'; the plugin here declares `oneiric_redis_pubsub.",
        ),
        ("wrong_schema", "to `list_adapters` hasn't its form: `0.type`: missing; `0.status`: missing; "),
        ("huge", "answers with more than 8 MiB; the rest was not read."),
        ("hang", "did not answer `list_adapters` within 1 s."),
        ("another_era", "doesn't speak MCP 2026-07-28: it speaks 2031-01-01."),
    ],
    ids=["os_system", "wrong_schema", "huge", "hang", "another_era"],
)
async def test_each_lie_has_its_own_error(site: Site, lie: str, sentence: str) -> None:
    async with lying(lie) as url:
        async with asyncio.timeout(30):
            code, output, errors = await site.run("adapters", url=url, MAHAVISHNU_MCP_TIMEOUT="1")
    assert (code, output) == (1, "")
    assert errors.startswith("Error: ")
    assert sentence in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("lie", ["os_system", "huge"])
async def test_what_is_known_does_not_cover_a_lie(site: Site, lie: str) -> None:
    """A server that is down may be one that is being restarted; one that lies is somebody's fault, and not passed over."""
    cache = site.folder / "cache.json"
    async with lying(lie) as url:
        instances = {"jobs": Instance("jobs", "rq", {"url": "embedded://"})}
        write_snapshot(cache, Snapshot.of(url, [], instances))
        kept = cache.read_text(encoding="utf-8")
        code, _, errors = await site.run("adapters", url=url, MAHAVISHNU_CACHE=str(cache))
        assert (code, errors[:7]) == (1, "Error: ")
        assert cache.read_text(encoding="utf-8") == kept
