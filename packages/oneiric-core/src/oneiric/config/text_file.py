"""Reading a small file that anybody may have named: a huge one, a device or a pipe to which nobody writes ends it as well."""

from __future__ import annotations

import os
import select
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 5.0
"""Seconds that the other end of a pipe gets: `--config <(sops -d …)` and a `.env` that a password manager serves are pipes."""

_BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


class Unreadable(Exception):
    """The file can't be read; the message is the reason, as the rest of a sentence."""


def read_bytes(path: Path, limit: int) -> bytes:
    """The file's bytes, of a larger one the first `limit` + 1. Raises FileNotFoundError, and Unreadable for all else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(error) from None
    try:
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        return _read(descriptor, limit + 1, time.monotonic() + _PATIENCE if is_pipe else None)
    except OSError as error:
        raise _unreadable(error) from None
    finally:
        os.close(descriptor)


def decoded(data: bytes) -> str:
    """The text of a file. Raises Unreadable where it is not UTF-8."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            raise Unreadable(f"it is {encoding} text; save it as UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError:  # from None: the codec's error holds the bytes
        raise Unreadable("it is not UTF-8 text") from None


def _read(descriptor: int, size: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        if deadline is not None and not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise Unreadable(f"nobody has written it to its end within {_PATIENCE:g} s")
        piece = os.read(descriptor, size - len(data))
        if not piece:
            break
        data += piece
    return bytes(data)


def _unreadable(error: OSError | ValueError) -> Unreadable:
    if isinstance(error, OSError) and error.strerror:
        return Unreadable(error.strerror)
    return Unreadable("no file can have that name")
