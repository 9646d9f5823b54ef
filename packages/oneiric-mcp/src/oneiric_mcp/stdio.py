"""The server over stdio: until the client leaves or a signal comes."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING

from oneiric.errors import OneiricError

if TYPE_CHECKING:
    from fastmcp import FastMCP

_CHUNK = 64 * 1024


class NoStdin(OneiricError, OSError):
    """The process was started with its stdin closed."""


async def serve(server: FastMCP) -> int:
    """Serve MCP over stdin and stdout; returns the exit code. A first signal is as if the client left, a second one ends.

    The thread that waits for stdin can't be interrupted, and asyncio waits for its threads: the server would not end by
    Ctrl-C before its client left. So a daemon thread reads stdin and passes it on through a pipe, which a signal closes.
    """
    if sys.stdin is None:
        hint = "An MCP client starts this command; or use --http."
        raise NoStdin("There is no stdin to serve MCP on.", hint=hint)
    codes: list[int] = []
    if sys.platform != "win32":  # there, neither can a loop watch signals nor select() watch pipes
        stop = _pass_stdin_on()

        def leave(number: int) -> None:
            if codes:
                os._exit(codes[0])
            codes.append(128 + number)
            os.close(stop)

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, leave, number)
    await server.run_stdio_async(show_banner=False, log_level="warning")
    return codes[0] if codes else 0


def _pass_stdin_on() -> int:
    """Put a pipe in the place of stdin; returns the file descriptor whose closing ends what is read from it."""
    source = os.dup(0)
    reader, writer = os.pipe()
    stopped, stop = os.pipe()
    os.dup2(reader, 0)
    os.close(reader)
    threading.Thread(target=_copy, args=(source, writer, stopped), name="stdin", daemon=True).start()
    return stop


def _copy(source: int, target: int, stopped: int) -> None:
    try:
        while stopped not in select.select([source, stopped], [], [])[0]:
            data = os.read(source, _CHUNK)
            if not data:
                break
            while data:
                data = data[os.write(target, data) :]
    except OSError:
        pass  # The server has closed its end, or stdin is no more: either way this is the end of it.
    finally:
        os.close(target)
