"""The writer: the one connection that writes, with group commit and a transaction that may hold it."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from oneiric_sqlite import work
from oneiric_sqlite.errors import CleanedUp, Ended, RolledBack
from oneiric_sqlite.job import Job, Mode
from oneiric_sqlite.lane import Lane

if TYPE_CHECKING:
    import asyncio

    from oneiric_sqlite.connection import Connection

_GROUP = 500
"""How many writes share one commit at most."""


class Hold:
    """A transaction's hold on the writer: while it lasts, the writer takes jobs from here only."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self.is_over = False


class Writer(Lane):
    """The connection that writes.

    Single writes that come while it is busy share one transaction, and so one wait for the disk. Nothing is handed out
    before the COMMIT. A statement that fails is undone alone, by SQLite; where SQLite had to undo more than that, the
    others are done again one by one.
    """

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.connection = connection
        self._database = connection.database
        self.owner: asyncio.Task[object] | None = None
        """The task that opened the transaction which holds the writer."""
        self._hold: Hold | None = None
        self._is_awake = False

    def let_go(self, hold: Hold) -> None:
        """End a hold that nobody came to own, whether or not it has begun."""
        job = Job(work.rollback, (), Mode.END, hold)
        job.future = self._loop.create_future()
        with suppress(CleanedUp):
            self._submit(job)

    def _submit(self, job: Job) -> bool:
        hold = job.hold if job.mode is not Mode.BEGIN else None
        with self._lock:
            if self._is_closed:
                raise CleanedUp
            if hold is not None and hold.is_over:
                raise Ended
            (self._queue if hold is None else hold.jobs).append(job)
            if self._is_awake:
                return False
            self._is_awake = True
        self.connection.post(self._drain)
        return True

    def _help(self) -> bool:
        with self._lock:
            return self._is_awake and bool(self._queue if self._hold is None else self._hold.jobs)

    def _waiting(self) -> list[Job]:
        inside = list(self._hold.jobs) if self._hold else []
        if self._hold:
            self._hold.jobs.clear()
        return inside + super()._waiting()

    def _drain(self) -> None:
        while group := self._take():
            self._run(group)
            self._outbox.extend(group)
            if group[0].mode is not Mode.AS_IT_IS:
                self._send()
        self._send()

    def _take(self) -> list[Job]:
        """The next job, or the next few where they can share a commit."""
        with self._lock:
            self.connection.current = None
            jobs = self._queue if self._hold is None else self._hold.jobs
            if not jobs:
                self._is_awake = False
                return []
            group = [jobs.popleft()]
            if group[0].mode is Mode.SHARED:
                while jobs and jobs[0].mode is Mode.SHARED and len(group) < _GROUP:
                    group.append(jobs.popleft())
            return group

    def _run(self, group: list[Job]) -> None:
        job = group[0]
        if len(group) > 1:
            self._commit_together(group)
        elif job.mode in {Mode.SHARED, Mode.ALONE}:
            self._commit_alone(job)
        elif job.mode is Mode.BEGIN:
            self._begin(job)
        elif job.mode is Mode.END:
            self._end(job)
        elif self._start(job, self.connection):
            self._run_as_it_is(job)

    def _run_as_it_is(self, job: Job) -> None:
        if job.hold is not None and not self._database.in_transaction:
            job.error = RolledBack()
        else:
            job.run(self._database)

    def _commit_alone(self, job: Job) -> None:
        if not self._start(job, self.connection):
            return
        if not self._has_begun([job]):
            return
        if job.run(self._database):
            self._settle()
            try:
                work.commit(self._database)
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                job.error = error
        self._settle()
        self._roll_back()

    def _commit_together(self, group: list[Job]) -> None:
        """One transaction for all; where it is lost, all but the one that lost it go again, each alone."""
        if not self._has_begun(group):
            return
        culprit = self._run_together(group)
        self._settle()
        if culprit is None and self._is_committed():
            return
        self._roll_back()
        for job in group:
            if job is not culprit:
                job.error = None
                self._commit_alone(job)

    def _has_begun(self, group: list[Job]) -> bool:
        try:
            work.begin(self._database)
        except BaseException as error:  # noqa: BLE001 - every caller gets it
            for job in group:
                job.error = error
            return False
        return True

    def _run_together(self, group: list[Job]) -> Job | None:
        """Run each; the job whose failure undid more than its own statement, or did not undo that, or None."""
        for job in group:
            before = self._database.total_changes
            if self._start(job, self.connection) and not job.run(self._database) and not self._is_undone(before):
                return job
        return None

    def _is_committed(self) -> bool:
        try:
            work.commit(self._database)
        except BaseException:  # noqa: BLE001 - whose fault it was shows when each goes alone
            return False
        return True

    def _is_undone(self, before: int) -> bool:
        """After an error: whether it undid just its own statement.

        `ON CONFLICT ROLLBACK`, a full disk or an interrupt end the transaction; `ON CONFLICT FAIL` keeps what the statement
        did before it failed, and a call happens wholly or not at all.
        """
        return self._database.in_transaction and self._database.total_changes == before

    def _begin(self, job: Job) -> None:
        if not self._start(job, self.connection) or not job.run(self._database):
            return
        with self._lock:
            is_wanted = not job.is_abandoned and not self._is_closed
            self._hold = job.hold if is_wanted else None
        if not is_wanted:
            job.error = CleanedUp()
            self._roll_back()

    def _end(self, job: Job) -> None:
        if self._database.in_transaction:
            job.run(self._database)
        else:
            job.error = RolledBack()
        self._roll_back()
        with self._lock:
            hold, self._hold = self._hold, None
            if hold is not None:
                hold.is_over = True
                for late in hold.jobs:
                    late.error = Ended()
                self._outbox.extend(hold.jobs)

    def _settle(self) -> None:
        """From here on nothing may be interrupted: what comes is not a job's own."""
        with self._lock:
            self.connection.current = None

    def _roll_back(self) -> None:
        with suppress(BaseException):  # what failed before is what the caller has to know
            work.rollback(self._database)
