"""What tells one state of a file from another, at the price of one look at it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def stamp_of(path: Path | None) -> tuple[object, ...]:
    """Another one whenever the file was written, replaced, made, removed, or its mode changed; equal otherwise."""
    if path is None:
        return ()
    try:
        status = os.stat(path)  # noqa: PTH116 - at every call of a tool, and half as dear as Path.stat
    except OSError as error:
        return path, error.errno
    return path, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
