"""One call on its way through a connection's thread."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    import sqlite3
    from collections.abc import Callable

    from oneiric_sqlite.connection import Connection
    from oneiric_sqlite.writer import Hold


class Mode(Enum):
    """How a job is committed."""

    AS_IT_IS = auto()
    """Alone, and outside any transaction of ours: a read, DDL, PRAGMA, VACUUM; or inside an open transaction."""
    SHARED = auto()
    """In one commit with others, if there are any: a single statement that changes rows."""
    ALONE = auto()
    """In a commit of its own: more than one statement."""
    BEGIN = auto()
    """Opens a transaction, which from then on holds the writer."""
    END = auto()
    """Commits or rolls back that transaction, and lets the writer go."""


class Job:
    """A function to run in the thread, and what became of it.

    The event loop makes it and gets its outcome; the thread runs it in between. `is_abandoned` and the connection's
    `current` change only under the lane's lock.
    """

    __slots__ = (
        "arguments",
        "connection",
        "deadline",
        "error",
        "future",
        "hold",
        "is_abandoned",
        "mode",
        "timeout",
        "value",
        "work",
    )

    future: asyncio.Future[BaseException | None]
    deadline: float
    timeout: float

    def __init__(
        self,
        work: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        mode: Mode = Mode.AS_IT_IS,
        hold: Hold | None = None,
    ) -> None:
        self.work = work
        self.arguments = arguments
        self.mode = mode
        self.hold = hold
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_abandoned = False
        self.connection: Connection | None = None

    def run(self, database: sqlite3.Connection) -> bool:
        """Run it, in the thread; says whether it went well."""
        self.error = None
        try:
            self.value = self.work(database, *self.arguments)
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self.error = error
        return self.error is None
