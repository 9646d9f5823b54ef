"""Server, worker and application in processes of their own; and each of them killed in the middle."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from conftest import COMMIT

from mahavishnu import MahavishnuApp, MahavishnuSettings
from mahavishnu.app import MESSAGES
from mahavishnu.processes import mcp_server, worker
from mahavishnu.repositories import RepositorySettings

if TYPE_CHECKING:
    from conftest import Site
    from oneiric.adapters.messaging import Message

MANY = 12


def app_of(site: Site, url: str, **settings: Any) -> MahavishnuApp:
    root = RepositorySettings(root=site.repositories)
    return MahavishnuApp(MahavishnuSettings(oneiric_mcp_url=url, repositories=root, **settings))


async def test_a_sweep_counts_every_repository(site: Site) -> None:
    one, other = site.add_repository("one", files=2, lines=5), site.add_repository("group/other", files=1, lines=7)
    async with site.server() as url, worker(site.folder):
        report = await site.sweep(url=url)
    assert report["totals"] == {"repositories": 2, "files": 3, "bytes": 85, "lines": 17, "python_lines": 17}
    assert report["results"][str(one)]["commit"] == report["results"][str(other)]["commit"] == COMMIT
    assert report["failures"] == {}
    assert "STALE" not in report["known"]


async def test_the_adapters_command_tells_what_is_known_and_how_it_is(site: Site) -> None:
    async with site.server() as url:
        code, output, errors = await site.run("adapters", url=url)
    assert code == 0, errors
    shown = json.loads(output)
    assert shown["health"] == {"queue": True, "messages": True, "repositories": True}
    assert shown["adapters"]["rq"] == "configured"
    assert not shown["is_stale"]


async def test_a_worker_that_is_killed_costs_no_task(site: Site) -> None:
    for number in range(MANY):
        site.add_repository(f"repository-{number}", files=1)
    async with site.server() as url, app_of(site, url) as app:
        sweep = await app.start_sweep()
        async with worker(site.folder) as first:
            while not (await app.poll(sweep)).results:
                await asyncio.sleep(0.005)
            await first.kill()
            assert not (await app.poll(sweep)).is_complete, "it was killed too late"
        async with worker(site.folder):
            report = await app.sweep(sweep.id, timeout=40)
    assert report.failures == {}
    assert report.totals["repositories"] == report.totals["files"] == MANY


async def test_the_mcp_server_may_be_killed_and_started_again(site: Site) -> None:
    site.add_repository("one")
    async with mcp_server(site.folder) as (server, url), app_of(site, url) as app, worker(site.folder):
        fetched = app.known.snapshot.fetched_at
        await server.kill()
        known = await app.refresh()
        assert known.is_stale
        assert "STALE: The MCP server" in str(known)
        assert known.snapshot.fetched_at == fetched
        assert (await app.sweep(timeout=40)).totals["repositories"] == 1
        async with mcp_server(site.folder, int(url.rsplit(":", 1)[1].split("/")[0])):
            known = await app.refresh()
    assert not known.is_stale
    assert known.snapshot.fetched_at > fetched


async def test_the_app_starts_without_the_mcp_server_from_what_it_has_said(site: Site) -> None:
    site.add_repository("one")
    cache = str(site.folder / "cache.json")
    async with mcp_server(site.folder) as (server, url), worker(site.folder):
        await site.sweep(url=url, MAHAVISHNU_CACHE=cache)
        await server.kill()
        code, _, errors = await site.run("sweep", url=url)
        assert code == 1
        assert errors.startswith(f"Error: The MCP server {url} can't be reached")
        report = await site.sweep(url=url, MAHAVISHNU_CACHE=cache)
    assert report["totals"]["repositories"] == 1
    assert "STALE" in report["known"]


async def test_a_sweep_whose_app_is_killed_is_finished_by_the_next(site: Site) -> None:
    for number in range(MANY):
        site.add_repository(f"repository-{number}", files=1)
    async with site.server() as url, app_of(site, url) as app:
        killed = await site.begin("sweep", "--id", "nightly", url=url)
        while await app.queue.queue_depth() < MANY:
            await asyncio.sleep(0.02)
        killed.kill()
        await killed.communicate()
        async with worker(site.folder):
            report = await site.sweep("--id", "nightly", url=url)
            assert report["totals"]["repositories"] == MANY
            again = await app.start_sweep("nightly")
            assert await app.queue.queue_depth() == 0
            assert (await app.poll(again)).is_complete


async def test_who_listens_is_told_of_each_repository(site: Site) -> None:
    paths = {str(site.add_repository(name)) for name in ("one", "other")}
    told: dict[str, Message] = {}
    complete = asyncio.Event()

    async def handle(message: Message) -> None:
        told[message["repository"]] = message
        if told.keys() == paths:
            complete.set()

    async with site.server() as url, worker(site.folder):
        report = await site.sweep(url=url)
        async with app_of(site, url) as app:  # later, and none is lost
            consumer = asyncio.create_task(app.messages.consume(MESSAGES, handle))
            async with asyncio.timeout(20):
                await complete.wait()
            consumer.cancel()
            await asyncio.wait({consumer})
    for path, message in told.items():
        assert message["event"] == "swept"
        assert message["data"]["result"] == report["results"][path]
