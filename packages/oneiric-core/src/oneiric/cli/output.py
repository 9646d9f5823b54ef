"""What the commands print: tables for people on a terminal, JSON for machines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.json import JSON
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The config file; otherwise it is looked for.")]

_STYLES = {
    "available": "green",
    "ok": "green",
    "configured": "bold green",
    "loaded": "green",
    "passed": "green",
    "skipped": "dim",
    "blocked": "yellow",
    "failed": "red",
    "collided": "red",
    "error": "red",
}

_answers: list[TextIO] = []
"""Where `print_json` prints, if not to `sys.stdout`."""


def keep_answers_clean() -> None:
    """From here on only `print_json` reaches standard output; what else is printed there goes to standard error.

    A plugin's code runs in this process, and what it prints, even past Python, must not be taken for a part of the answer.
    """
    try:
        sys.stdout.flush()
        answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
    except (OSError, ValueError):  # there is no standard output, or nobody to read it
        return
    _answers[:] = [answer]


console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print anything that pydantic can turn into JSON, indented on a terminal, to stdout."""
    text = to_json(value, indent=2).decode()
    stream = _answers[0] if _answers else sys.stdout
    if stream.isatty():
        Console(file=stream).print(JSON(text))
    else:
        print(text, file=stream, flush=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; a cell that is a status has its colour. Nothing in a cell is read as markup."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    console.print(table)
