"""Writers of a config file in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric import AdapterSettings, AdapterSpec, Catalog
from oneiric.config.writing import Replacement, replace

if TYPE_CHECKING:
    from collections.abc import Callable


OLD, NEW, NEXT = (f"adapters:\n  pg:\n    dsn: {name}\n".encode() for name in ("the-old", "the-much-newer", "next"))


class Settings(AdapterSettings):
    dsn: str = "x"


CATALOG = Catalog([AdapterSpec("pg", type="database", summary="S.", adapter="m:C", settings=Settings)])


def put(path: Path, content: bytes | None, timeout: float = 5) -> Any:
    return replace(Replacement(path, current(path), content), timeout)


def current(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def run(function: Callable[..., None], *arguments: object) -> str:
    """Run a function of a test file in a process of its own, which may fork as it has no threads; returns what it prints."""
    command = command_of(function, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def command_of(function: Callable[..., None], *arguments: object) -> list[str]:
    """The command that runs it: the file is imported by its name."""
    file = Path(function.__code__.co_filename)
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {file.stem} as t; t.{function.__name__}(*sys.argv[2:])"
    return [sys.executable, "-c", code, str(file.parent), *map(str, arguments)]
