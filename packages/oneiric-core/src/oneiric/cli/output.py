"""What the commands print: tables for people on a terminal, JSON for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.json import JSON
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

_STYLES = {
    "available": "green",
    "ok": "green",
    "configured": "bold green",
    "loaded": "green",
    "blocked": "yellow",
    "failed": "red",
    "collided": "red",
    "error": "red",
}

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print anything that pydantic can turn into JSON, indented on a terminal, to stdout."""
    text = to_json(value, indent=2).decode()
    console.print(JSON(text)) if console.is_terminal else typer.echo(text)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; a cell that is a status has its colour. Nothing in a cell is read as markup."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    console.print(table)
