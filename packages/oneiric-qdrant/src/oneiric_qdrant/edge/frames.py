"""Messages between two processes on one socket: plain values, each with its length before it.

In the form of `marshal`, which both sides share as they run the same Python, and which names no code to import.
"""

from __future__ import annotations

import marshal
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

_LENGTH = struct.Struct("!Q")
_CHUNK = 1 << 20


def send(connection: socket.socket, message: Any) -> None:
    """Send a message: None, booleans, numbers, texts, bytes, and tuples, lists and dicts of these."""
    data = marshal.dumps(message)
    connection.sendall(_LENGTH.pack(len(data)))
    connection.sendall(data)


def receive(connection: socket.socket) -> Any:
    """The next message. Raises EOFError where the other side has closed."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return marshal.loads(_exactly(connection, length))  # noqa: S302 - from the process that this one started, or was started by


def _exactly(connection: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view, filled = memoryview(data), 0
    while filled < length:
        received = connection.recv_into(view[filled : filled + _CHUNK])
        if not received:
            raise EOFError
        filled += received
    return data
