"""The directory of an embedded server: what is refused, mended, and closed to others."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest
from oneiric.embedded import join
from oneiric.errors import ConfigError, ConnectionFailed
from tiny_engine import TinyEngine
from tiny_house import House

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="embedded servers don't run on Windows, and say so")


def refuse(url: str) -> str:
    async def attempt() -> None:
        await join(url, TinyEngine())

    with pytest.raises((ConfigError, ConnectionFailed)) as caught:
        asyncio.run(attempt())
    return str(caught.value)


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").touch()
    assert "holds other files" in refuse(f"embedded://{tmp_path}")
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("home", "work")] == ["mine"]


def test_a_directory_of_another_engine_is_left_alone(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "engine").write_text("other")
    assert "holds the data of 'other', and not of 'tiny'" in refuse(f"embedded://{tmp_path}/data")


def test_a_path_that_can_not_be_is_said(tmp_path: Path):
    (tmp_path / "file").touch()
    assert "Not a directory" in refuse(f"embedded://{tmp_path}/file")
    assert "No such file or directory" in refuse(f"embedded://{tmp_path}/nowhere/data")
    assert "File name too long" in refuse(f"embedded://{tmp_path}/{'x' * 300}")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert f"{tmp_path}/loop" in refuse(f"embedded://{tmp_path}/loop")


async def test_a_directory_that_others_may_enter_is_closed_to_them(tmp_path: Path):
    directory = tmp_path / "open"
    directory.mkdir(mode=0o755)
    house = House(f"embedded://{directory}")
    await (await house.join()).leave()
    assert directory.stat().st_mode & 0o777 == 0o700
    await house.close()


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory of somebody else's")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    assert "not a directory of this user" in refuse(f"embedded://{tmp_path}/theirs")
