from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oneiric.config import Instance
from oneiric.errors import ConnectionFailed

from mahavishnu.known import Known, Snapshot, read_snapshot, write_snapshot

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1:8679/mcp"
INSTANCES = {"jobs": Instance("jobs", "rq", {"url": "redis://app@redis.internal", "password": {"$env": "PW"}})}


def test_what_is_kept_is_read_again_and_is_nobody_elses(tmp_path: Path) -> None:
    file, snapshot = tmp_path / "cache.json", Snapshot.of(URL, [], INSTANCES)
    for _ in range(2):
        write_snapshot(file, snapshot)
        assert read_snapshot(file, URL) == snapshot
    assert snapshot.configured() == INSTANCES
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert read_snapshot(file, "http://127.0.0.1:1/mcp") is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"url": 1}'])
def test_what_can_not_be_used_is_not_there(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cache.json"
    assert read_snapshot(file, URL) is None
    file.write_bytes(content)
    assert read_snapshot(file, URL) is None


def test_it_says_whether_it_is_stale() -> None:
    snapshot = Snapshot.of(URL, [], INSTANCES)
    assert "STALE" not in str(Known(snapshot))
    stale = Known(snapshot, ConnectionFailed("It can't be reached."))
    assert stale.is_stale
    assert str(stale).endswith("UTC; STALE: It can't be reached.")
