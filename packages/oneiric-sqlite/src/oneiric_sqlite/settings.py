"""What the adapter needs to know; imports no driver."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Literal

from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.database import CONCURRENT_READS, DURABLE
from oneiric.adapters.targets import Targets
from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat

MEMORY = ":memory:"
"""The path of a database that lives in memory, and ends with the adapter."""


def _as_text(path: object) -> object:
    return str(path) if isinstance(path, PurePath) else path


def _check_path(path: str) -> str:
    if not path.strip():
        raise ValueError("the path is empty; give a file, or `:memory:`")
    if "\0" in path:
        raise ValueError("the path holds a NUL character")
    if path.startswith("file:") or "://" in path:
        raise ValueError("this is a URL; give the path of a file, or `:memory:`")
    return path


class SqliteSettings(AdapterSettings):
    """Where the database is, and how it is used."""

    path: Annotated[str, BeforeValidator(_as_text), AfterValidator(_check_path)]
    """The database's file, made where there is none (its directory is not), or `:memory:`. `~` is the home directory."""

    readers: Annotated[int, Field(ge=1, le=64)] = 4
    """How many connections, each with its thread, read beside the one that writes. `:memory:` has only that one."""

    timeout: Annotated[FiniteFloat, Field(gt=0, le=86_400)] = 30.0
    """How many seconds a call may take where it isn't told otherwise; `init()` too."""

    busy_timeout: Annotated[FiniteFloat, Field(ge=0, le=3600)] = 5.0
    """How many seconds to wait for another process that is writing, before the call fails."""

    synchronous: Literal["full", "normal"] = "full"
    """`full`: a write that has returned survives a loss of power. `normal`: faster; it survives the end of the process,
    and a loss of power may take the last writes, but never corrupts the database."""

    def targets(self) -> Targets:
        """The database's file, if it is one."""
        return Targets(files=() if self.path == MEMORY else (self.path,))

    def lacks(self) -> frozenset[str]:
        """In memory there is one connection, and nothing that lasts."""
        return frozenset({CONCURRENT_READS, DURABLE}) if self.path == MEMORY else frozenset()
