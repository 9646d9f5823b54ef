"""The process in which Qdrant Edge runs: `python -m oneiric_qdrant.edge.process`, with its socket as standard input.

It answers one call after the other, `(name, arguments)` with `(True, value)` or `(False, error's class, its words)`, and ends,
its shards closed, when the other side does: however that ends, its end of the socket is closed.
"""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from oneiric_qdrant.edge.frames import receive, send

if TYPE_CHECKING:
    from oneiric_qdrant.edge.shards import Shards

CALLS = (
    "ask",
    "collections",
    "create",
    "drop",
    "optimize",
    "upsert",
    "search",
    "get",
    "delete",
    "delete_by",
    "count",
    "page",
)


def main() -> None:
    """Serve until the other side closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a Ctrl-C goes to the whole group: who asked decides when it ends
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=sys.stdin.fileno()) as connection:
        shards = _opened(connection)
        if shards is None:
            return
        try:
            while True:
                name, arguments = receive(connection)
                send(connection, _answer(shards, name, arguments))
        except (EOFError, OSError):
            return
        finally:
            shards.close()


def _opened(connection: socket.socket) -> Shards | None:
    """The shards of the folder that is named first; None where they can't be opened, and the other side knows."""
    try:
        from oneiric_qdrant.edge.shards import Shards  # here, so that what it raises can be told

        shards = Shards(receive(connection))
    except Exception as error:  # noqa: BLE001 - the other side has to know
        send(connection, (False, type(error).__name__, str(error)))
        return None
    send(connection, (True, None))
    return shards


def _answer(shards: Shards, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        if name not in CALLS:
            raise ValueError("no such call")
        return True, getattr(shards, name)(*arguments)
    except Exception as error:  # noqa: BLE001 - the other side has to know
        return False, type(error).__name__, str(error)


if __name__ == "__main__":
    main()
