"""Run benchmark suites: `python -m bench sqlite [--json] [--rounds N]`; exit code 1 where a target is missed.

A suite is a module of this folder with one function, `suite()`: an async context manager that sets up, yields its `Pair`s
(bench/rounds.py) and clears up. Another module here is another suite; nothing has to be registered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rounds import LEAST_ROUNDS, Row, compare

if TYPE_CHECKING:
    from collections.abc import Sequence


def suites() -> list[str]:
    """The names of the suites: the modules here, less the harness itself."""
    names = {path.stem for path in Path(__file__).parent.glob("*.py")}
    return sorted(name for name in names if not name.startswith("_") and name != "rounds")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites that are named; 0 where every target is met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Compare Oneiric with what it is measured against."
    )
    parser.add_argument(
        "suites", nargs="*", metavar="suite", help=f"one or more of {', '.join(suites())}; all, without"
    )
    parser.add_argument("--json", action="store_true", help='print {"rows": [...]} and nothing else')
    parser.add_argument("--rounds", type=int, default=15, help=f"paired rounds a row, at least {LEAST_ROUNDS} (15)")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.suites) - set(suites()))
    if unknown or options.rounds < LEAST_ROUNDS:
        parser.error(f"no such suite: {', '.join(unknown)}" if unknown else f"--rounds is at least {LEAST_ROUNDS}")
    rows = [row for name in options.suites or suites() for row in asyncio.run(_run(name, options))]
    if options.json:
        print(json.dumps({"rows": [row.as_dict() for row in rows]}, indent=2))
    return 0 if all(row.ok for row in rows) else 1


async def _run(name: str, options: argparse.Namespace) -> list[Row]:
    rows = []
    if not options.json:
        print(f"{name}: median ratio of {options.rounds} paired rounds")
    async with import_module(f"bench.{name}").suite() as pairs:
        for pair in pairs:
            rows.append(await compare(pair, options.rounds))
            if not options.json:
                print(_line(rows[-1]), flush=True)
    return rows


def _line(row: Row) -> str:
    verdict = "ok   " if row.ok else "SHORT"
    target = f"{'<=' if row.is_cost else '>='} {row.target:g}"
    return f"  {verdict} {row.ratio:8.2f}  {target:9} ({row.lowest:.2f} to {row.highest:.2f})  {row.what}"


if __name__ == "__main__":
    sys.exit(main())
