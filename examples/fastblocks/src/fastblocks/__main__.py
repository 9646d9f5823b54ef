"""`python -m fastblocks`."""

from __future__ import annotations

from fastblocks.cli import app

if __name__ == "__main__":
    app()
