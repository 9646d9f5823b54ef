"""Files that are whole or not there, whatever happens: written beside, brought to the disk, and renamed.

What root makes belongs to whom the folder around it belongs, who would be locked out otherwise.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_new(path: Path, content: bytes, *, beside: Path, like: Path | None = None) -> None:
    """Write a file, or replace it, in one step; `beside` is where it is until then, on the same file system.

    It has the owner, mode and attributes of the file `like`; without one, nobody but its owner may read it. Raises
    OSError, with nothing left behind and `path` as it was.
    """
    with suppress(FileNotFoundError):
        beside.unlink()  # of a writer that was killed
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            if like is None:
                _give_away(beside)
            else:
                _make_like(beside, like)
            os.fsync(descriptor)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    sync(path.parent)


def make_file(path: Path) -> None:
    """Make an empty file where there is none. Raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _give_away(path)


def make_folder(path: Path, mode: int) -> None:
    """Make a folder where there is none. Raises OSError."""
    with suppress(FileExistsError):
        path.mkdir(mode)
        _give_away(path)
        sync(path.parent)


def sync(folder: Path) -> None:
    """Bring a folder's entries to the disk, on systems that can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _make_like(path: Path, like: Path) -> None:
    wanted, status = like.stat(), path.stat()
    if (wanted.st_uid, wanted.st_gid) != (status.st_uid, status.st_gid):
        os.chown(path, wanted.st_uid, wanted.st_gid)
    shutil.copystat(like, path)
    os.utime(path)


def _give_away(path: Path) -> None:
    around = path.parent.stat()
    if hasattr(os, "geteuid") and os.geteuid() == 0 and around.st_uid != 0:
        os.chown(path, around.st_uid, around.st_gid)
