"""What the adapter needs to know; imports no driver."""

from __future__ import annotations

from typing import Annotated

from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.database import DURABLE
from oneiric.adapters.targets import Targets
from pydantic import AfterValidator, Field, FiniteFloat

MEMORY = ":memory:"
"""The path of a database that lives in memory, and ends with the adapter."""


def _check_path(path: str) -> str:
    if not path.strip() or "\0" in path:
        raise ValueError("the path is empty or holds a NUL character; give a file, or `:memory:`")
    if "://" in path or path.startswith(("md:", "motherduck:")):
        raise ValueError("this is a URL; give the path of a file, or `:memory:`")
    if path.startswith(":memory:") and path != MEMORY:
        raise ValueError("a database in memory has no name; give `:memory:`")
    return path


class DuckdbSettings(AdapterSettings):
    """Where the database is, and how it is used."""

    path: Annotated[str, AfterValidator(_check_path)]
    """The database's file, made where there is none (its directory is not), or `:memory:`. `~` is the home directory."""

    readers: Annotated[int, Field(ge=1, le=64)] = 4
    """How many connections, each with its thread, read beside the one that writes."""

    timeout: Annotated[FiniteFloat, Field(gt=0, le=86_400)] = 30.0
    """How many seconds a call may take where it isn't told otherwise; `init()` too."""

    def targets(self) -> Targets:
        """The database's file, if it is one."""
        return Targets(files=() if self.path == MEMORY else (self.path,))

    def lacks(self) -> frozenset[str]:
        """In memory nothing lasts."""
        return frozenset({DURABLE}) if self.path == MEMORY else frozenset()
