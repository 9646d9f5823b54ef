"""An adapter of the application's own: the git repositories of a folder. Oneiric has no contract for it, and needs none."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from oneiric.adapters.base import Adapter, AdapterSettings, Health
from oneiric.adapters.targets import Targets
from oneiric.errors import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger("mahavishnu")


class RepositorySettings(AdapterSettings):
    """Where the repositories are."""

    root: Path
    """The folder that is looked through for git repositories; the workers see it at the same path."""

    def targets(self) -> Targets:
        """Nothing but a folder of this machine."""
        return Targets()


class RepositoryAdapter(Adapter):
    """The git repositories below a folder."""

    settings_class: ClassVar[type[RepositorySettings]] = RepositorySettings
    settings: RepositorySettings
    _root: Path | None = None

    async def init(self) -> None:
        """Look whether the folder can be read. Raises ConnectionFailed where it can't."""
        root = self.settings.root.expanduser().absolute()
        reason = await asyncio.to_thread(_why_unreadable, root)
        if reason:
            raise ConnectionFailed(f"{root} can't be read: {reason}.", adapter=self.name, transient=False)
        self._root = root

    async def health(self) -> Health:
        """Whether the folder can still be read."""
        if self._root is None:
            return Health(ok=False, detail="It is not initialised.")
        reason = await asyncio.to_thread(_why_unreadable, self._root)
        return Health(ok=reason is None, detail=reason or "")

    async def cleanup(self) -> None:
        """Forget the folder: nothing was opened."""
        self._root = None

    async def list_repositories(self) -> list[Path]:
        """The absolute path of each repository, in their order; one inside another is a part of that. Raises NotInitialized.

        One whose path is no text, as a file's name can be any bytes, is left out, and logged.
        """
        if self._root is None:
            raise self.not_initialized()
        return await asyncio.to_thread(lambda root: sorted(_found(root)), self._root)


def _why_unreadable(folder: Path) -> str | None:
    try:
        with os.scandir(folder):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def _found(root: Path) -> Iterator[Path]:
    for folder, folders, _ in os.walk(root):  # it leaves out what can't be read, and follows no links
        if (Path(folder) / ".git").exists():
            folders.clear()
            if folder.isprintable():
                yield Path(folder)
            else:
                _log.warning("A repository is left out, as no task could name it: %a", folder)
