"""`oneiric demo --app session-buddy`: a store that moves while it is written, killed in the middle and started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from session_buddy.process import BuddyProcess, Gone

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

_BEFORE = """\
adapters:
  reflections:
    adapter: sqlite
    path: {folder}/reflections.db
  memory:
    adapter: qdrant
    url: embedded://{folder}/memory
"""
_AFTER = """\
adapters:
  reflections:
    adapter: postgres
    dsn: embedded://{folder}/postgres
    connect_timeout: 30
  memory:
    adapter: pgvector
    dsn: embedded://{folder}/postgres
    connect_timeout: 30
"""
_SUBJECTS = ("a flaky test", "a slow query", "a full disk", "a lost message", "a leaked secret", "a wrong default")
_FIXES = ("a deadline", "an index", "an alert", "an acknowledgement", "a mask", "a migration", "a retry")
_WRITERS = 8


class Writers:
    """Tasks that save without a pause, each under ids of its own, and again where no answer came."""

    def __init__(self) -> None:
        self.saved: dict[str, str] = {}
        """The texts that were acknowledged, by their ids."""
        self.buddy: BuddyProcess | None = None
        self.is_over = False
        self.again = 0
        """How often one was saved again, as no answer came."""

    async def run(self) -> None:
        """Save until `is_over`."""
        async with asyncio.TaskGroup() as tasks:
            for writer in range(_WRITERS):
                tasks.create_task(self._write(writer))

    async def _write(self, writer: int) -> None:
        number = 0
        while not self.is_over:
            subject, fix = _SUBJECTS[(writer + number) % len(_SUBJECTS)], _FIXES[number % len(_FIXES)]
            text = f"Session {writer}x{number}: {subject} was mended by {fix}."
            await self._save(f"{writer}-{number}", text, subject)
            number += 1
            await asyncio.sleep(0.01)

    async def _save(self, id: str, text: str, tag: str) -> None:
        while True:
            try:
                if self.buddy is None:
                    raise Gone("It is not started yet.")
                answer = await self.buddy.ask("save", key=id, text=text, tags=[tag])
                break
            except Gone:
                self.again += 1
                await asyncio.sleep(0.05)
        assert answer["text"] == text
        self.saved[id] = text


async def demo(folder: Path) -> AsyncGenerator[tuple[str, str]]:
    """Tell what is done, and what came of it; raises where it fails."""
    config, to = folder / "oneiric.yaml", folder / "next.yaml"
    config.write_text(_BEFORE.format(folder=folder), encoding="utf-8")
    to.write_text(_AFTER.format(folder=folder), encoding="utf-8")
    writers = Writers()
    writing = asyncio.create_task(writers.run())
    try:
        async for told in _moved(config, to, writers, writing):
            yield told
    finally:
        writing.cancel()


async def _moved(
    config: Path, to: Path, writers: Writers, writing: asyncio.Task[None]
) -> AsyncGenerator[tuple[str, str]]:
    copied = asyncio.Event()
    async with BuddyProcess.start(config, lambda *_: copied.set()) as buddy:
        writers.buddy = buddy
        await _until(lambda: len(writers.saved) >= 300)
        yield (
            "write",
            f"{_WRITERS} writers, {len(writers.saved)} reflections in SQLite and Qdrant, process {buddy.process.pid}",
        )
        moving = asyncio.create_task(buddy.ask("move", to=str(to)))
        await asyncio.wait_for(copied.wait(), 30)
        await buddy.kill()
        moving.cancel()
        yield "kill", "SIGKILL in the middle of the move"
    async with BuddyProcess.start(config) as buddy:
        writers.buddy = buddy
        moved = await buddy.ask("move", to=str(to))
        yield "move", f"started again and moved: {', '.join(moved)}; the writers went on"
        writers.is_over = True
        await writing
        yield "check", await check(buddy, writers.saved)
    async with BuddyProcess.start(config) as buddy:
        yield "start again", await check(buddy, writers.saved)
        found = await buddy.ask("search", text="slow queries", tags=["a slow query"], limit=1)
        yield "search", f"{found[0]['reflection']['text']} ({found[0]['score']:.2f})"


async def check(buddy: BuddyProcess, saved: dict[str, str]) -> str:
    """Raises where a reflection that was acknowledged isn't there, or one is there twice, or can't be found."""
    count = await buddy.ask("count")
    kept = {each["id"]: each["text"] for each in await buddy.ask("latest", limit=count + 1)}
    if len(kept) != count or any(kept.get(id) != text for id, text in saved.items()):
        raise AssertionError(f"{len(saved)} were acknowledged, {count} are there.")
    for id, text in list(saved.items())[:: max(1, len(saved) // 20)]:
        found = await buddy.ask("search", text=text, limit=1)
        if [each["reflection"]["id"] for each in found] != [id]:
            raise AssertionError(f"{id} is not found.")
    return f"{count} reflections, each once, and found"


async def _until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)
