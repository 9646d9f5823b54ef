"""Child processes of the suites: the same Python and environment for ours and theirs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent


def python(*arguments: str) -> list[str]:
    """A command that runs this Python; with -P, as a module of this folder must not stand for a package of its name."""
    return [sys.executable, "-P", *arguments]


def environment() -> dict[str, str]:
    """Ours, less what would change the comparison: compiled files are written, and no plugin or config is chosen."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith(("ONEIRIC_", "FASTMCP_"))
    }
