"""What an adapter's package says of its server: how it is made ready, run, asked whether it is up, and stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.embedded.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The commands of a server in one home. Each runs without the environment and the open files of who joins."""

    make: tuple[str, ...] = ()
    """What makes `home.unfinished`, with a new server's files in it; that becomes `home.data` once it has succeeded. Empty
    where a server begins with an empty directory."""
    serve: tuple[str, ...]
    """What runs the server in the foreground, on `home.data`, with its socket in `home.run`."""
    stale: tuple[str, ...] = ()
    """Files of a server that was killed that keep a new one from starting. They are removed before each start: by then the
    kernel has said that no process of the old server lives, which their contents can only guess."""
    stop: tuple[tuple[int, float], ...]
    """The signals that end it, from the kindest, each with the seconds that it then has."""


class Engine(ABC):
    """A kind of server."""

    name: ClassVar[str]
    """In lower case, and part of names of files."""
    socket: ClassVar[str]
    """The name of the Unix socket's file, in `home.run`."""

    @abstractmethod
    def plan(self, home: Home) -> Plan:
        """How a server is run there. Raises AdapterUnavailable without its wheel, ConfigError for data that it can't use."""

    @abstractmethod
    def url(self, run: Path) -> str:
        """What the adapter's driver connects to where the socket is in that directory."""

    @abstractmethod
    async def is_up(self, run: Path) -> bool:
        """Whether the server takes calls now; False too where there is none. Has a deadline of its own, of a second or two."""
