"""A process of its own, which uses an adapter until it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.spec import AdapterSpec

_PROGRAM = """
import asyncio, importlib, json, sys

async def use(adapter):
{body}

async def main():
    path, config = json.loads(sys.stdin.readline())
    module, _, name = path.partition(":")
    adapter = getattr(importlib.import_module(module), name)(config)
    await adapter.init()
    await use(adapter)
    print("done", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

_WITHIN = 60.0
"""Seconds that the process may take to do its work."""


def kill_after(body: str, spec: AdapterSpec, config: Mapping[str, Any]) -> None:
    """Run the body of an `async def use(adapter)` with an adapter of that spec and config, and kill it when it is done.

    SIGKILL where the system has it: nothing is cleaned up, and what it keeps open ends with the process.
    """
    program = _PROGRAM.format(body=textwrap.indent(body.strip(), "    "))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    # A file and no pipe for what it says of errors: nobody reads it before the end, and a pipe that is full stops who writes.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(  # noqa: S603 - this Python, and a program of our own
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env=environ,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Timer(_WITHIN, process.kill)
        late.start()
        try:
            process.stdin.write(json.dumps([spec.adapter, dict(config)], default=str) + "\n")
            process.stdin.flush()
            said = process.stdout.readline()
        finally:
            late.cancel()
            process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            process.wait()
        if said.strip() != "done":
            errors.seek(0)
            why = errors.read() or f"It did not do its work within {_WITHIN:.0f} s."
            pytest.fail(f"The process that uses the adapter ended early:\n{why}")
