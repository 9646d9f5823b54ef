"""Replacing a config file: one writer at a time, the old version kept, and at any moment the old file or the new one."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from oneiric.config.durable import make_file, make_folder, sync, write_new
from oneiric.config.history import FOLDER, History, real_path
from oneiric.config.yaml_file import MAX_FILE_SIZE, read_bytes
from oneiric.errors import ConfigChanged, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oneiric.config.history import Version


class Replacement:
    """What a file holds, and what it shall hold instead; None is no file.

    Not a dataclass: what turns one into a dict or JSON would show what is inside, and that may be a secret.
    """

    __slots__ = ("after", "before", "path", "target")

    def __init__(self, path: Path, before: bytes | None, after: bytes | None) -> None:
        self.path = path
        """As it was given."""
        self.target = real_path(path)
        """The file itself, where `path` is a symbolic link."""
        self.before = before
        self.after = after


def read_current(path: Path) -> bytes | None:
    """What the file at a path holds, None where there is none. Raises ConfigError for what is no file, or unreadable."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        mode = stat.S_IFREG  # reading it will say why
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ConfigError(f"{path} can't be changed: it is not a regular file.")
    content = read_bytes(path)
    if len(content) > 4 * MAX_FILE_SIZE:  # and what is more than that was not read, and could not be kept
        raise ConfigError(f"{path} is larger than {MAX_FILE_SIZE // 1024} KiB, too large for a config file.")
    return content


def replace(replacement: Replacement, timeout: float) -> Version | None:
    """Put the new content in the file's place; returns the version that is kept of the old, None where nothing changes.

    Raises ConfigChanged where the file isn't what it was, and ConfigError where it can't be written or another process
    writes for longer than `timeout` seconds; the file is as it was then.
    """
    path, target = replacement.path, replacement.target
    try:
        with _locked(path, target, timeout):
            if real_path(path) != target or read_current(target) != replacement.before:
                raise ConfigChanged(f"{path} has changed since the plan was made.", hint="Plan again.")
            if replacement.before == replacement.after:
                return None
            return _replace(target, replacement.before, replacement.after)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"{path} can't be written: {reason}. It is as it was.") from error


def _replace(target: Path, before: bytes | None, after: bytes | None) -> Version:
    if before is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only")
    history = History(target)
    kept = history.keep(before)
    try:
        if after is None:
            target.unlink()
        else:
            beside = target.parent / FOLDER / f"{target.name}.new"
            write_new(target, after, beside=beside, like=None if before is None else target)
    except OSError:
        history.forget(kept)
        raise
    sync(target.parent)
    history.prune()
    return kept


@contextmanager
def _locked(path: Path, target: Path, timeout: float) -> Iterator[None]:
    folder = target.parent / FOLDER
    lock, holder = folder / f"{target.name}.lock", folder / f"{target.name}.writer"
    make_folder(folder, 0o755)
    make_file(lock)
    try:
        with FileLock(lock, timeout=timeout), _named(holder):
            if not (ignored := folder / ".gitignore").exists():
                write_new(ignored, b"*\n", beside=folder / ".gitignore.new")
            yield
    except Timeout:
        sentence = f"{path} is being written by {_holder(holder)}, for more than {timeout:g} s."
        raise ConfigError(sentence, hint="Try again when that is done.") from None


@contextmanager
def _named(holder: Path) -> Iterator[None]:
    """Say who holds the lock, in a file beside it: who waits for the lock may empty that one."""
    with suppress(OSError):
        holder.write_text(f"process {os.getpid()}", encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            holder.unlink()


def _holder(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")[:100] or "another process"
    except (OSError, ValueError):
        return "another process"
