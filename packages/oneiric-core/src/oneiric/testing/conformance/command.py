"""`oneiric conformance`: does this adapter do what its contract says?"""

from __future__ import annotations

import json as jsonlib
import os
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from oneiric.cli.output import JsonOption, console, errors, print_json, print_table
from oneiric.cli.validation import given_config
from oneiric.config import problems_of, schemes_of
from oneiric.discovery import Catalog, discover
from oneiric.errors import ConfigError, OneiricError
from oneiric.passport import file_of
from oneiric.testing.conformance.running import run_kit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from oneiric.passport import Case, Passport
    from oneiric.spec import AdapterSpec

_SHOWN = 3
"""How many tests of one reason are named; `--json` names them all."""


def conformance(
    name: Annotated[str, typer.Argument(help="The adapter's name, as `oneiric list` shows it.")],
    config: Annotated[
        str | None,
        typer.Option(
            "--config", help="A config of an empty backend, as JSON or @FILE, in place of the adapter's example."
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the passport into the source of the adapter's package, to be packaged.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run the conformance kit against an installed adapter, on an EMPTY backend. Exit code 1 where it isn't conformant."""
    catalog = discover()
    spec = catalog[name]
    unavailable = catalog.why_unavailable(spec)
    if unavailable is not None:
        raise unavailable
    given = None if config is None else _valid(given_config(config), spec, catalog)
    file = _file(spec) if write else None
    errors.print(f"The conformance kit, against {name} {spec.version}:", markup=False, soft_wrap=True)
    passport = run_kit(spec, given)
    if json:
        print_json(passport)
    else:
        _print(passport)
    if file is not None and passport.conformant:
        _write(passport, file)
    if not passport.conformant:
        raise typer.Exit(1)


def _valid(config: Any, spec: AdapterSpec, catalog: Catalog) -> dict[str, Any]:
    problems = problems_of(spec.settings, config, schemes_of(catalog.hooks))
    if problems:
        raise ConfigError(f"The config is wrong for {spec.name}.", problems=problems, adapter=spec.name)
    return dict(config)


def _file(spec: AdapterSpec) -> Path:
    """Where the passport goes. Raises OneiricError, before anything is run, where it can't."""
    file = file_of(spec)
    if file is None or not _is_editable(spec):
        raise OneiricError(
            f"The passport of {spec.name} can't be written: its package is not installed from its source.",
            hint="Run: pip install --editable PACKAGE",
        )
    return file


def _is_editable(spec: AdapterSpec) -> bool:
    try:
        url = jsonlib.loads(distribution(spec.distribution or "").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return False
    return bool(url.get("dir_info", {}).get("editable"))


def _write(passport: Passport, file: Path) -> None:
    text = jsonlib.dumps(passport.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    new = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        raise OneiricError(f"{file} can't be written: {error.strerror}.") from error
    errors.print(f"Written: {file}", markup=False, soft_wrap=True)


def _print(passport: Passport) -> None:
    print_table(f"Passport of {passport.adapter}", ("", ""), _facts(passport))
    for title, cases in (("Failed", passport.failures), ("Excused", passport.xfails), ("Skipped", passport.skips)):
        _print_cases(title, cases)
    verdict = "✓ It is conformant." if passport.conformant else "✗ It is NOT conformant."
    console.print(f"\n{verdict}", style="green" if passport.conformant else "red")


def _print_cases(title: str, cases: Iterable[Case]) -> None:
    """Each reason once, and below it the tests that it is of: one flaw, or one lack, is mostly that of many."""
    tests: dict[str, list[str]] = {}
    for case in cases:
        tests.setdefault(case.reason, []).append(case.test)
    if tests:
        console.print(Text(f"\n{title}", style="bold"))
    for reason, names in tests.items():
        console.print(Padding(Text(reason), (0, 0, 0, 2), expand=False))
        shown = [name for name in names[:_SHOWN] if name]
        more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
        for line in (*shown, *more):
            console.print(f"    {line}", style="dim", markup=False, soft_wrap=True)


def _facts(passport: Passport) -> Iterator[tuple[str, str]]:
    yield "adapter", f"{passport.adapter} ({passport.type}) of {passport.distribution} {passport.version}"
    yield "kit", f"level {passport.suite_level}, oneiric-core {passport.core}, Python {passport.python}"
    yield "drivers", ", ".join(f"{name} {version}" for name, version in passport.drivers.items()) or "none"
    yield "suite", passport.suite
    proofs = passport.capabilities
    yield "capabilities proved", ", ".join(proofs.proved) or "none"
    unproved = sorted({*proofs.declared} - {*proofs.proved} - {*proofs.without})
    if unproved:
        yield "declared, not proved", ", ".join(unproved)
    if proofs.without:
        yield "not in this config", ", ".join(proofs.without)
    tests = passport.tests
    yield "tests", f"{tests.passed} passed, {tests.failed} failed, {tests.xfailed} excused, {tests.skipped} skipped"
    yield "took", f"{passport.seconds} s, on {passport.date}"
