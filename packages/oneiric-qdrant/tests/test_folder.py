"""The folder of embedded data: several adapters, several processes, two engines, and one that is no folder."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.vector import Record
from oneiric.errors import ConnectionFailed
from oneiric_qdrant import QdrantAdapter

if TYPE_CHECKING:
    from pathlib import Path

ENGINES = pytest.mark.parametrize("engine", ["local", "edge"])

HOLD = """
import asyncio, sys
from oneiric.adapters.vector import Record
from oneiric_qdrant import QdrantAdapter

async def main():
    adapter = QdrantAdapter({"url": sys.argv[1], "engine": sys.argv[2]})
    await adapter.init()
    await adapter.create_collection("a", 2)
    await adapter.upsert("a", [Record("1", [1, 0])])
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def config(path: Path, engine: str) -> dict[str, Any]:
    return {"url": f"embedded://{path}", "engine": engine}


@ENGINES
async def test_a_folder_has_one_adapter_at_a_time(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oneiric_qdrant.folder._WAIT", 0.1)
    first, second = QdrantAdapter(config(tmp_path, engine)), QdrantAdapter(config(tmp_path, engine))
    async with first:
        with pytest.raises(ConnectionFailed, match="in use by another adapter") as raised:
            await second.init()
        assert raised.value.transient
        assert await first.list_collections() == []
    monkeypatch.setattr("oneiric_qdrant.folder._WAIT", 30.0)
    async with second:
        assert await second.list_collections() == []


@ENGINES
async def test_a_folder_has_one_process_at_a_time_and_is_free_once_that_was_killed(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneiric_qdrant.folder._WAIT", 0.1)
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", HOLD, f"embedded://{tmp_path}", engine], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert await asyncio.to_thread(other.stdout.readline) == "ready\n"
        with pytest.raises(ConnectionFailed, match="in use by another adapter"):
            await QdrantAdapter(config(tmp_path, engine)).init()
        other.kill()
    monkeypatch.setattr("oneiric_qdrant.folder._WAIT", 30.0)
    async with QdrantAdapter(config(tmp_path, engine)) as adapter:
        assert await adapter.count("a") == 1


@pytest.mark.parametrize(("wrote", "reads"), [("local", "edge"), ("edge", "local")])
async def test_a_folder_that_the_other_engine_wrote_is_refused(tmp_path: Path, wrote: str, reads: str) -> None:
    async with QdrantAdapter(config(tmp_path, wrote)) as adapter:
        await adapter.create_collection("a", 2)
        await adapter.upsert("a", [Record("1", [1, 0])])
    with pytest.raises(ConnectionFailed, match=f"written by the engine '{wrote}'") as raised:
        await QdrantAdapter(config(tmp_path, reads)).init()
    assert not raised.value.transient
    async with QdrantAdapter(config(tmp_path, wrote)) as adapter:
        assert await adapter.count("a") == 1, "and nothing was changed in it"


@ENGINES
async def test_what_is_no_folder_is_refused(tmp_path: Path, engine: str) -> None:
    (tmp_path / "file").write_text("This is no folder.")
    with pytest.raises(ConnectionFailed, match="can't be used") as raised:
        await QdrantAdapter(config(tmp_path / "file", engine)).init()
    assert not raised.value.transient


@ENGINES
async def test_health_says_that_the_folder_is_gone(tmp_path: Path, engine: str) -> None:
    async with QdrantAdapter(config(tmp_path / "index", engine)) as adapter:
        assert (await adapter.health()).ok
        shutil.rmtree(tmp_path / "index")
        health = await adapter.health()
        assert not health.ok
        assert "deleted or replaced" in health.detail


async def test_a_folder_may_be_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with QdrantAdapter({"url": "embedded:///~/index"}):
        assert (tmp_path / "index" / "meta.json").exists()


@ENGINES
async def test_data_are_kept(tmp_path: Path, engine: str) -> None:
    payload = {"a.b": 1, 'quo"te': [True, None], "n": 2**53, "text": "größe"}
    async with QdrantAdapter(config(tmp_path, engine)) as adapter:
        await adapter.create_collection("a", 2)
        await adapter.upsert("a", [Record(f"id-{number}", [1, number], payload) for number in range(300)])
        await adapter.delete("a", ["id-7"])
    async with QdrantAdapter(config(tmp_path, engine)) as adapter:
        assert await adapter.count("a") == 299
        (record,) = await adapter.get("a", ["id-7", "id-8"])
        assert (record.id, record.payload) == ("id-8", payload)


async def test_local_mode_waits_for_the_disk_at_no_point(tmp_path: Path) -> None:
    """It commits each apart: with a wait for each, a thousand take seconds, and minutes on a disk that is slow."""
    for _ in range(2):
        async with QdrantAdapter(config(tmp_path, "local")) as adapter:
            await adapter.create_collection("a", 2)
            assert adapter._engine is not None
            assert await adapter._engine.run(_pragmas) == ["wal", 1]


async def _pragmas(store: Any) -> list[Any]:
    database = store.raw._client.collections["a"].storage.storage
    return [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
