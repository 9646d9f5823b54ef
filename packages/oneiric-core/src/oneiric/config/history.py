"""The versions of a config file that were replaced: each as it was, in `.oneiric/` beside it.

They may hold secrets, so nobody but the owner may read them, and git leaves them alone.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.config.durable import make_folder, write_new
from oneiric.config.yaml_file import FILE_NAME, find_file, read_bytes
from oneiric.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = ".oneiric"
KEPT = 50
"""How many versions are kept; the oldest go first."""

_CONTENT, _NO_FILE = ".yaml", ".none"


@dataclass(frozen=True, slots=True)
class Version:
    """A config file as it was before a change."""

    number: int
    replaced_at: datetime
    """When the change was made, in UTC."""
    size: int | None
    """In bytes; None where there was no file."""


def history_of(path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ) -> list[Version]:
    """The versions of the config file that can be had back, the latest first. Raises ConfigError."""
    found = find_file(path, environ) or Path(FILE_NAME)
    try:
        return History(real_path(found)).versions()
    except OSError as error:
        raise ConfigError(f"The history of {found} can't be read: {error.strerror}.") from error


def real_path(path: Path) -> Path:
    """The file that a path leads to, through symbolic links, whether it is there or not."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # no file can have that name, which reading it will say
        return path


class History:
    """The kept versions of one file. Whoever adds one holds the file's lock."""

    def __init__(self, target: Path) -> None:
        self.folder = target.parent / FOLDER / f"{target.name}.history"

    def versions(self) -> list[Version]:
        """The latest first. Raises OSError."""
        try:
            paths = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        versions = map(self._version, paths)
        return sorted(filter(None, versions), key=lambda version: version.number, reverse=True)

    def read(self, version: Version) -> bytes | None:
        """What was in the file; None where there was no file. Raises ConfigError."""
        return None if version.size is None else read_bytes(self._path(version))

    def keep(self, content: bytes | None) -> Version:
        """Keep a version, and see that it is on the disk. Raises OSError, ConfigError."""
        latest = next(iter(self.versions()), None)
        if latest and self.read(latest) == content:  # a writer was killed between this and replacing the file
            return latest
        make_folder(self.folder, 0o700)
        version = Version((latest.number if latest else 0) + 1, datetime.now(UTC), None if content is None else 0)
        path = self._path(version)
        write_new(path, content or b"", beside=self.folder / "new")
        return self._version(path) or version

    def forget(self, version: Version) -> None:
        """Drop a version that has not been replaced after all."""
        with suppress(OSError):
            self._path(version).unlink()

    def prune(self) -> None:
        """Drop what is too old; what can't be dropped stays."""
        with suppress(OSError):
            for version in self.versions()[KEPT:]:
                self._path(version).unlink()

    def _path(self, version: Version) -> Path:
        return self.folder / f"{version.number:06}{_NO_FILE if version.size is None else _CONTENT}"

    @staticmethod
    def _version(path: Path) -> Version | None:
        if path.suffix not in (_CONTENT, _NO_FILE) or not (path.stem.isascii() and path.stem.isdecimal()):
            return None
        try:
            status = path.stat()
        except FileNotFoundError:  # pruned meanwhile
            return None
        at = datetime.fromtimestamp(status.st_mtime, UTC)
        return Version(int(path.stem), at, status.st_size if path.suffix == _CONTENT else None)
