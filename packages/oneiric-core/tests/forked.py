"""The command line as a process of its own, without the half second that importing it takes.

One process has imported it, and forks for each command: a child that has run nothing yet, with the environment, the folder,
the path and the standard streams that it is given. It ends as a process does that was started by hand.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROGRAM = """
import io, json, os, signal, sys
from oneiric.cli import main

for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    os._exit(0)

signal.alarm(request["seconds"])
for number, stream in enumerate(("stdin", "stdout", "stderr")):
    file = os.open(os.path.join(request["folder"], stream), os.O_RDWR)
    os.dup2(file, number)
    os.close(file)
sys.stdin, sys.stdout, sys.stderr = (
    io.TextIOWrapper(open(number, mode, closefd=False, buffering=size), "utf-8", line_buffering=number == 2)
    for number, mode, size in ((0, "rb", -1), (1, "wb", -1), (2, "wb", -1))
)
os.environ.clear()
os.environ.update(request["environ"])
os.chdir(request["cwd"])
sys.path[:1] = [request["cwd"], *request["path"]]
sys.path_importer_cache.clear()
sys.argv = ["oneiric", *request["arguments"]]
main()
"""
AT_ITS_START = {"COLUMNS": "200"}
"""What the command line reads of its environment when it is imported."""
_SECONDS = 60


def run(
    arguments: Sequence[str], *, cwd: Path, path: Sequence[str], environ: Mapping[str, str], stdin: bytes
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in {"stdin": stdin, "stdout": b"", "stderr": b""}.items():
            Path(folder, name).write_bytes(data)
        request: dict[str, Any] = {"arguments": list(arguments), "cwd": str(cwd), "path": list(path)}
        request |= {"environ": dict(environ), "folder": folder, "seconds": _SECONDS}
        code = int(_asked(json.dumps(request)))
        out, err = (Path(folder, name).read_bytes() for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(["oneiric", *arguments], code, out, err)


def _asked(line: str) -> str:
    process = _server()
    assert process.stdin is not None
    assert process.stdout is not None
    print(line, file=process.stdin, flush=True)
    return process.stdout.readline()


@cache
def _server() -> subprocess.Popen[str]:
    environ = {"PATH": "/usr/bin:/bin", **AT_ITS_START}
    command = [sys.executable, "-c", _PROGRAM]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)
    atexit.register(process.kill)
    return process
