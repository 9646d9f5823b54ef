"""The process that ends an embedded server when its last member has gone. A program, with the standard library alone.

It holds `supervisor.lock` as long as it lives, and waits for `members.lock`, of which each member has a share: the kernel
gives it that lock when the last member has closed it or has died. The server inherits `server.lock`, which so is held for as
long as any of the server's processes lives, whoever has started it: a supervisor that takes over from one that was killed
finds the server by it, and one whose server dies learns of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_EMPTY, _DEAD, _TOLD = "there is no member left", "it has ended", "the supervisor was told to end"
_SETTLED = 2.0
"""Seconds after which a server that dies is started again: one that dies sooner would only do so again."""
_ATTEMPTS = 20
"""To take `supervisor.lock`, which those who only look whether it is held hold for a moment."""


class Over(Exception):
    """There is nothing more to supervise."""


class Supervisor:
    """Runs the server of one home to its end."""

    def __init__(self, directory: Path, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.directory = directory
        self.run = Path(plan["run"])
        self.data = self.directory / "data"
        self.unfinished = self.directory / "data.new"
        self.note = self.directory / "server.json"
        self.events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.has_left = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None

    def supervise(self) -> None:
        """Start or adopt the server, and end it when the last member has gone."""
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # not ignored: what is executed would ignore them too
        signal.signal(signal.SIGTERM, lambda *_: self.events.put(_TOLD))
        threading.Thread(target=self._watch_members, daemon=True).start()
        try:
            pid = self._inherited()
            if pid is None:
                self._make()
            while True:
                since = time.monotonic()
                self._wait_for_end_of(self._serve() if pid is None else pid)
                if time.monotonic() - since < _SETTLED:
                    raise Over
                pid = None
        except Over:
            pass
        except OSError as error:  # the disk is full, say
            say(str(error))
            with suppress(Over, OSError):
                self._end(self.child.pid if self.child else 0)
            self._kill_child()
        self._clean_up()

    def _inherited(self) -> int | None:
        """The server of a supervisor that was killed; None where there is none, or it was to be ended."""
        server = open_lock(self.directory / "server.lock")
        if not has_locked(server):
            note = self._noted()
            pid = int(note.get("pid", 0))
            if note.get("serves") and not self.plan["is_new"] and is_holder(pid, server):
                os.close(server)
                return pid
            self._end(pid)
        os.close(server)
        os.ftruncate(sys.stdout.fileno(), 0)
        return None

    def _make(self) -> None:
        """Make the server's files where there are none; those that aren't whole don't count."""
        if self.plan["is_new"]:
            shutil.rmtree(self.data, ignore_errors=True)
        if self.data.exists():
            return
        shutil.rmtree(self.unfinished, ignore_errors=True)
        if not self.plan["make"]:
            self.unfinished.mkdir(0o700)
        else:
            self._wait_for_end_of(self._start(self.plan["make"], serves=False))
            if self.child is None or self.child.wait() != 0:
                raise Over
        self.unfinished.rename(self.data)

    def _serve(self) -> int:
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(0o700, exist_ok=True)
        for path in self.plan["stale"]:
            Path(path).unlink(missing_ok=True)
        return self._start(self.plan["serve"], serves=True)

    def _start(self, command: list[str], *, serves: bool) -> int:
        """Start a process that holds `server.lock`, and whose end is an event."""
        server = open_lock(self.directory / "server.lock")
        fcntl.flock(server, fcntl.LOCK_EX)
        self.child = subprocess.Popen(  # noqa: S603 - the command of an adapter's engine
            command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            pass_fds=(server,),
            start_new_session=True,
        )
        self.note.write_text(json.dumps({"pid": self.child.pid, "serves": serves}), encoding="utf-8")
        os.close(server)
        return self.child.pid

    def _wait_for_end_of(self, pid: int) -> None:
        """Wait for the process's own end. Raises Over where it was ended instead."""
        threading.Thread(target=self._watch_server, daemon=True).start()
        event = self.events.get()
        if event != _DEAD:
            self._end(pid)
            raise Over
        if self.child is not None:
            say(f"the process {pid} ended with status {self.child.wait()}")

    def _end(self, pid: int) -> None:
        """Send the plan's signals until all processes of the server have ended. Raises Over where some don't."""
        with suppress(OSError):
            self.note.unlink()
        server = open_lock(self.directory / "server.lock")
        for number, seconds in self.plan["stop"]:
            if pid and (self._is_child(pid) or is_holder(pid, server)):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if not self._is_child(pid) and has_locked(server):
                    os.close(server)
                    return
                time.sleep(0.01)
        say(f"processes of an earlier server are still alive (the first was {pid or 'not noted'})")
        raise Over

    def _is_child(self, pid: int) -> bool:
        """Whether it is our own and lives. The lock can't tell where somebody has removed the folder, or its files."""
        return self.child is not None and self.child.pid == pid and self.child.poll() is None

    def _kill_child(self) -> None:
        """End our own where nothing else could: its folder is gone, and with it the lock."""
        if self.child is not None and self._is_child(self.child.pid):
            self.child.kill()
            self.child.wait()

    def _clean_up(self) -> None:
        """Remove what is of no use without the server, and data that isn't kept if no member is left."""
        with suppress(OSError):
            self.note.unlink()
        shutil.rmtree(self.run, ignore_errors=True)
        if self.has_left.is_set() and not self.plan["is_kept"]:
            # Renamed first: from here on who joins makes a new home, and what is removed here is nobody's.
            removed = self.directory.with_name(f".{self.directory.name}.{os.getpid()}")
            with suppress(OSError):
                self.directory.rename(removed)
                shutil.rmtree(removed, ignore_errors=True)

    def _watch_members(self) -> None:
        members = open_lock(self.directory / "members.lock")
        fcntl.flock(members, fcntl.LOCK_EX)  # and kept: who joins now waits until this process has ended
        self.has_left.set()
        self.events.put(_EMPTY)

    def _watch_server(self) -> None:
        server = open_lock(self.directory / "server.lock")
        fcntl.flock(server, fcntl.LOCK_EX)
        os.close(server)
        self.events.put(_DEAD)

    def _noted(self) -> dict[str, Any]:
        try:
            note: dict[str, Any] = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note


def open_lock(path: Path) -> int:
    """Open a file to lock it; a program that is executed doesn't inherit it unless told so."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def has_locked(descriptor: int) -> bool:
    """Take the lock alone, unless somebody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_holder(pid: int, descriptor: int) -> bool:
    """Whether the process has that file open, and so isn't another that was given its number; True where nobody can say."""
    wanted = os.fstat(descriptor)
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - the names alone
    except FileNotFoundError:
        return not Path("/proc/self/fd").exists()
    except PermissionError:
        return True
    for number in numbers:
        with suppress(OSError):
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{number}"), wanted):  # noqa: PTH116 - the link's target
                return True
    return False


def say(sentence: str) -> None:
    """Write a line to the log, if there is space."""
    with suppress(OSError):
        sys.stdout.write(f"oneiric: {sentence}\n")
        sys.stdout.flush()


def main() -> NoReturn:
    """Take the home from the command line and the plan from stdin, and go on in the background.

    Ends with 0 where there is a supervisor then, this one or another.
    """
    directory = Path(sys.argv[1])
    plan = json.load(sys.stdin)
    os.umask(0o077)
    lock = open_lock(directory / "supervisor.lock")
    for _ in range(_ATTEMPTS):
        if has_locked(lock):
            break
        time.sleep(0.01)
    else:
        sys.exit(0)
    if os.fork():
        os._exit(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    with suppress(OSError):
        Path("/proc/self/comm").write_text("oneiric-server", encoding="utf-8")
    with suppress(OSError):  # systemd-tmpfiles removes nothing that is old from a directory that is locked
        fcntl.flock(os.open(directory, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    Supervisor(directory, plan).supervise()
    sys.exit(0)


if __name__ == "__main__":
    main()
