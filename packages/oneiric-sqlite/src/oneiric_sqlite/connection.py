"""One connection: aiosqlite's, its thread, and what is running in it now."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import aiosqlite
from oneiric.adapters.cancellation import undisturbed
from oneiric.errors import ConnectionFailed

from oneiric_sqlite.file import existing
from oneiric_sqlite.settings import MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric_sqlite.job import Job
    from oneiric_sqlite.settings import SqliteSettings

_PAUSE = 0.01
"""Seconds between two tries of what SQLite can't wait for itself."""

_CLOSE_WITHIN = 5.0
"""Seconds that a connection may take to close before it is left to its (daemon) thread."""


class Connection:
    """An open connection. `current` is the job that its thread is running, or None; guarded by its lane's lock."""

    def __init__(self, raw: aiosqlite.Connection, database: sqlite3.Connection) -> None:
        self.raw = raw
        self.database = database
        self.current: Job | None = None

    def post(self, work: Callable[[], object]) -> None:
        """Have `work` run in the connection's thread; nobody waits for it, and it must not raise.

        aiosqlite's own `_execute` would cost a coroutine and a wake-up of the event loop each time; this is the queue
        beneath it. Both are private, hence the cap on aiosqlite's version.
        """
        self.raw._tx.put_nowait((None, work))  # noqa: SLF001

    async def close(self, grace: float = 0.0) -> None:
        """Close once the thread has done what it is doing; after `grace` seconds that is interrupted."""
        closing = asyncio.ensure_future(self.raw.close())
        await asyncio.wait({closing}, timeout=grace)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _CLOSE_WITHIN
        while not closing.done() and loop.time() < give_up:
            if self.current is not None:
                with suppress(sqlite3.ProgrammingError):  # it has been closed just now
                    self.database.interrupt()
            await asyncio.wait({closing}, timeout=_PAUSE)
        if closing.done():
            _join(self.raw)


async def opened(settings: SqliteSettings, *, is_reader: bool = False) -> Connection:
    """Open and configure one connection; the path is absolute, and a reader never makes the file.

    Raises the driver's errors, and ConnectionFailed where WAL can't be had. Cancelled, it waits until the driver is done
    with it, so that nothing is left that would open later.
    """
    raw = aiosqlite.connect(
        existing(settings.path) if is_reader else settings.path,
        uri=is_reader,
        isolation_level=None,
        timeout=0.0,  # until it is configured, waiting for a lock is ours, as nothing can end SQLite's own
        cached_statements=256,
    )
    # aiosqlite's thread is not a daemon: a process that forgot cleanup() would wait for it for ever. A daemon thread
    # ends with the process, even in the middle of a write: SQLite is made to survive that.
    raw._thread.daemon = True  # noqa: SLF001
    is_unwanted = threading.Event()
    opening = asyncio.ensure_future(_open(raw, lambda database: _configure(database, settings, is_reader, is_unwanted)))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:  # aiosqlite would lose a connection that opens after this, without closing it
        is_unwanted.set()
        await undisturbed(_close_once_open(opening))
        raise


async def _close_once_open(opening: asyncio.Future[Connection]) -> None:
    """Close a connection that nobody wants any more; one whose disk hangs is left to close itself."""
    await asyncio.wait({opening}, timeout=_CLOSE_WITHIN)
    if not opening.done():
        opening.add_done_callback(lambda done: done.cancelled() or done.exception() or done.result().raw.stop())
    elif not opening.cancelled() and opening.exception() is None:
        await opening.result().close(_CLOSE_WITHIN)


async def _open(raw: aiosqlite.Connection, configure: Callable[[sqlite3.Connection], None]) -> Connection:
    try:
        await raw
    except BaseException:
        _join(raw)
        raise
    database = raw._conn  # noqa: SLF001
    try:
        # the only way to run something in its thread
        await raw._execute(configure, database)  # type: ignore[no-untyped-call]  # noqa: SLF001
    except BaseException:
        await raw.close()
        _join(raw)
        raise
    return Connection(raw, database)


def _join(raw: aiosqlite.Connection) -> None:
    """Wait for a thread that has been told to end and has nothing else to do: a matter of microseconds."""
    raw._thread.join(_CLOSE_WITHIN)  # noqa: SLF001


def _configure(
    database: sqlite3.Connection, settings: SqliteSettings, is_reader: bool, is_unwanted: threading.Event
) -> None:
    """Set everything, in the thread. It waits for another process's lock here: SQLite does so for some of it only."""
    give_up = time.monotonic() + settings.busy_timeout
    while True:
        try:
            _set(database, settings, is_reader)
        except sqlite3.OperationalError as error:
            is_over = is_unwanted.is_set() or time.monotonic() >= give_up
            if is_over or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            is_unwanted.wait(_PAUSE)
        else:
            break
    database.execute(f"PRAGMA busy_timeout = {int(settings.busy_timeout * 1000)}").close()


def _set(database: sqlite3.Connection, settings: SqliteSettings, is_reader: bool) -> None:
    database.row_factory = sqlite3.Row
    if settings.path != MEMORY and not is_reader:
        mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise ConnectionFailed(
                f"The database can't be put into WAL mode; it stays in `{mode}`.",
                hint="The file system must have shared memory: a network drive has none.",
                transient=False,
            )
    database.execute(f"PRAGMA synchronous = {settings.synchronous}")
    database.execute("PRAGMA foreign_keys = ON")
    if is_reader:
        database.execute("PRAGMA query_only = ON")
        database.execute("SELECT 1 FROM sqlite_schema").close()
