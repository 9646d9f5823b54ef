"""The directory of an embedded server: what is in it, and that it is this user's alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.errors import ConfigError, ConnectionFailed

if TYPE_CHECKING:
    from oneiric.embedded.engine import Engine
    from oneiric.embedded.place import Place

_LONGEST_SOCKET = 103
"""Bytes in the path of a Unix socket, by the system that allows the fewest (macOS)."""
_OURS = {
    "engine", "data", "data.new", "run", "server.json", "server.log",
    "members.lock", "server.lock", "starting.lock", "supervisor.lock",
}  # fmt: skip
_NOBODYS = {"lost+found", ".DS_Store"}


class Home:
    """The directory of one server: its data, its log, its socket, and the locks of who uses it.

    For a place whose data is kept it is the place's own directory; else one in `/tmp`, which is found without regard to
    the environment: processes with and without TMPDIR or XDG_RUNTIME_DIR share a server.
    """

    def __init__(self, place: Place, engine: Engine) -> None:
        self.is_kept = place.is_kept
        name = f"{engine.name}-{place.name}" if place.name else engine.name
        self.directory = _resolved(place.path) if place.path else _of_user() / name
        self.engine = engine.name
        self.data = self.directory / "data"
        self.unfinished = self.directory / "data.new"
        """Where a new server's files are made, until they are whole."""
        self.log = self.directory / "server.log"
        self.starting = self.directory / "starting.lock"
        """Held by the process that joins, one at a time."""
        self.members = self.directory / "members.lock"
        """Each member has a share; who has it alone knows that there is none."""
        self.supervisor = self.directory / "supervisor.lock"
        """Held by the supervisor as long as it lives."""
        self.server = self.directory / "server.lock"
        """Held by the server's processes, each of them."""
        self.run = self.directory / "run"
        """Where the socket is: in the home, unless a socket's path can't be that long."""
        if len(os.fsencode(self.run / engine.socket)) > _LONGEST_SOCKET:
            self.run = _of_user() / hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]

    def make(self) -> None:
        """Make the directory where there is none. Raises ConfigError where something else is there, and ConnectionFailed."""
        try:
            if not self.is_kept or self.run.parent != self.directory:
                _make_private(_of_user())
            _make_private(self.directory, is_adopted=self.is_kept and self._is_ours())
        except OSError as error:
            raise ConnectionFailed(
                f"The directory {str(self.directory)!r} can't be used: {error.strerror}.",
                hint="Check that the directory around it exists, and that this user may write there.",
                transient=False,
            ) from error

    def claim(self) -> None:
        """Note whose data it is, for a home that is new. Raises ConfigError where it is another engine's."""
        marker = self.directory / "engine"
        engine = marker.read_text(encoding="utf-8", errors="replace") if marker.exists() else ""
        if not engine:
            marker.write_text(self.engine, encoding="utf-8")
        elif engine != self.engine:
            raise ConfigError(
                f"The directory {str(self.directory)!r} holds the data of {engine[:40]!r}, and not of {self.engine!r}.",
                hint="Give each of them a directory of its own.",
            )

    def remove(self) -> None:
        """Remove it all. Renamed first: from then on who joins makes a new home, and what is removed is nobody's."""
        removed = self.directory.with_name(f".{self.directory.name}.{os.getpid()}")
        with suppress(OSError):
            self.directory.rename(removed)
            shutil.rmtree(removed, ignore_errors=True)

    def last_words(self) -> str:
        """The end of the server's log."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(line[:300] for line in lines[-6:] if line.strip())

    def _is_ours(self) -> bool:
        try:
            names = set(os.listdir(self.directory))  # noqa: PTH208 - the names alone
        except FileNotFoundError:
            return False
        if "engine" not in names and not names <= _OURS | _NOBODYS:
            raise ConfigError(
                f"The directory {str(self.directory)!r} holds other files than those of an embedded server.",
                hint="Give the path of a directory that is empty, or isn't there yet.",
            )
        return True


def _of_user() -> Path:
    """This user's own directory for what doesn't last, short enough for sockets."""
    return Path("/tmp") / f"oneiric-{os.geteuid()}"  # noqa: S108 - made and looked at by _make_private


def _make_private(directory: Path, *, is_adopted: bool = False) -> None:
    """Make a directory of this user alone; where it is there already, it has to be one, or is made so if `is_adopted`."""
    try:
        directory.mkdir(0o700)
    except FileExistsError:
        try:
            status = directory.lstat()
        except FileNotFoundError:  # its server has ended just now
            return _make_private(directory)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise ConfigError(
                f"{str(directory)!r} is not a directory of this user.", hint="Remove it, or let its owner do so."
            ) from None
        if status.st_mode & 0o077:
            if not is_adopted:
                raise ConfigError(
                    f"Others may enter the directory {str(directory)!r}.", hint=f"Run: chmod 700 {directory}"
                ) from None
            directory.chmod(0o700)


def _resolved(path: str) -> Path:
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"The path {path!r} leads nowhere.", hint="Give it without `~`, and without links."
        ) from error
