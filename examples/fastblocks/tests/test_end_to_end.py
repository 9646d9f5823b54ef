"""Broker, worker and application, each in a process of its own, on both engines; and again with one of them killed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oneiric import AdapterManager
from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.queue import QueueAdapter, TaskState
from oneiric.adapters.vector import VectorAdapter

from fastblocks import STEPS, Block, FastBlocksPipeline, Library, Page, read_site
from fastblocks.demo import demo, slow_blocks
from fastblocks.tasks import process_block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import App

ALL = list(STEPS)


def write_site(folder: Path, blocks: Iterable[Block]) -> Path:
    folder.mkdir()
    for block in blocks:
        (folder / f"{block.name}.html").write_text(block.template)
        (folder / f"{block.name}.json").write_text(json.dumps(block.context))
    return folder


async def test_an_application_that_is_killed_in_the_middle_finds_its_tasks_again(app: App, tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", slow_blocks(3))
    async with app.engine.worker():
        process = await app.start("render", str(site))
        assert process.stdout is not None
        while b"running: render, 0 of 5" not in await asyncio.wait_for(process.stdout.readline(), 30):
            assert process.returncode is None
        process.kill()
        await process.communicate()
        lines = await app.run("render", str(site))
    assert lines[-1] == "3 pages in the library"
    blocks = read_site(site)
    assert {line for line in lines if "succeeded" in line} == {
        f"{block.name}: succeeded: checksum, 5 of 5" for block in blocks
    }
    await check_stored(app, {block.name: process_block(block.as_json(), ALL) for block in blocks})
    async with AdapterManager.from_config(app.file) as adapters:
        pipeline = FastBlocksPipeline(await adapters.get("queue", QueueAdapter))
        statuses = [await pipeline.get_status(f"fastblocks-{block.digest(ALL)}") for block in blocks]
    assert [status["state"] for status in statuses] == [TaskState.SUCCEEDED] * 3


@pytest.mark.parametrize("app", ["rq"], indirect=True)
async def test_a_block_that_fails_is_named(app: App, tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", [Block(name="wrong", template="{{ x.y }}")])
    async with app.engine.worker():
        process = await app.start("render", str(site))
        said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"\nwrong: queue: The task has failed: " in said
    assert b"UndefinedError: 'x' is undefined" in said


@pytest.mark.parametrize("app", ["rq"], indirect=True)
async def test_a_signal_ends_an_application_that_waits_for_a_worker(app: App, tmp_path: Path) -> None:
    process = await app.start("render", str(write_site(tmp_path / "site", slow_blocks(1))))
    assert process.stdout is not None
    assert b"queued" in await asyncio.wait_for(process.stdout.readline(), 30)
    process.terminate()
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, said) == (1, b"Error: It was ended by a signal before it was done.\n")


async def check_stored(app: App, expected: dict[str, Page]) -> None:
    async with AdapterManager.from_config(app.file) as adapters:
        library = Library(await adapters.get("pages", DatabaseAdapter), await adapters.get("search", VectorAdapter))
        assert {name: await library.get(name) for name in expected} == expected
        assert await library.count() == len(expected)
        found = [each.page["name"] for each in await library.search("primes", limit=10)]
        assert sorted(found) == sorted(expected)


async def test_a_worker_that_is_killed_in_the_middle_loses_no_block(tmp_path: Path) -> None:
    """As the demo shows it: it raises where a page is missing, or not as this process renders it."""
    told = [told async for told in demo(tmp_path)]
    on_each = ("worker", "kill", "pages", "search")
    assert [step for step, _ in told] == [
        "render here",
        *(f"{engine}: {step}" for engine in ("rq", "celery") for step in on_each),
    ]
    outcomes = dict(told)
    for engine in ("rq", "celery"):
        assert "is at `render`" in outcomes[f"{engine}: worker"]
        assert outcomes[f"{engine}: pages"].startswith("7 in the library")
        assert "finds garden" in outcomes[f"{engine}: search"]
