"""`test`, `health` and `doctor`: does it work, and if not, why not."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from oneiric.cli.output import ConfigOption, JsonOption, console, errors, print_json, print_table
from oneiric.cli.running import end, run
from oneiric.config import ConfigStore
from oneiric.diagnostics import Verdict, check_connection, check_health, diagnose, refuse_for_good
from oneiric.discovery import discover

if TYPE_CHECKING:
    from oneiric.diagnostics import ConnectionTest, Diagnosis, Finding

TimeoutOption = Annotated[
    float,
    typer.Option("--timeout", min=0.1, max=600, help="Seconds for each stage; all take three times that at most."),
]
_SIGNS = {Verdict.OK: ("✓", "green"), Verdict.WARNING: ("!", "yellow"), Verdict.WRONG: ("✗", "red")}


def connection(
    instance: Annotated[str, typer.Argument(help="The instance's name, as under `adapters:` in the config.")],
    timeout: TimeoutOption = 10.0,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Test the connection of a configured instance by stages: resolve, connect, TLS, authenticate, ping.

    Exit code 1 where one fails.
    """
    catalog, store = discover(), ConfigStore.load(config)
    configured = store[instance]
    refuse_for_good()
    with _working(f"Testing {instance}"):
        result = run(check_connection(configured, catalog, variables=store.variables, timeout=timeout))
    if json:
        print_json(result)
    else:
        _print_test(instance, result)
    end(ok=result.success)


def health(
    instance: Annotated[str | None, typer.Argument(help="The instance's name; all where left out.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Initialise the configured instances, or one, ask each for its health, and clean up.

    Exit code 1 where one is not well.
    """
    catalog, store = discover(), ConfigStore.load(config)
    with _working("Asking"):
        found = run(check_health(store, catalog, [instance] if instance else list(store)))
    if json:
        print_json(found)
    elif found:
        rows = (
            (h.name, h.adapter, "ok" if h.ok else "failed", _ms(h.latency_ms), " ".join(h.detail.split()))
            for h in found
        )
        print_table("Health", ("instance", "adapter", "status", "latency", "detail"), rows)
    else:
        console.print("No instance is configured. Name one under `adapters:` in oneiric.yaml.", markup=False)
    end(ok=all(one.ok for one in found))


def doctor(
    connect: Annotated[bool, typer.Option("--connect/--no-connect", help="Test each instance's connection.")] = True,
    timeout: TimeoutOption = 10.0,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Look for everything that is wrong, and say what mends it. Works with every plugin broken. Exit code 1 if anything is."""
    catalog = discover()
    refuse_for_good()
    with _working("Looking"):
        diagnosis = run(diagnose(catalog, config, connect=connect, timeout=timeout))
    if json:
        print_json(diagnosis)
    else:
        _print_diagnosis(diagnosis)
    end(ok=diagnosis.healthy)


def _working(what: str) -> AbstractContextManager[object]:
    """What is being done, shown on a terminal's standard error as long as it is."""
    return errors.status(f"{what} …") if errors.is_terminal else nullcontext()


def _print_test(instance: str, result: ConnectionTest) -> None:
    rows = ((stage.name, stage.status, _ms(stage.latency_ms), stage.detail) for stage in result.stages)
    print_table(f"Instance {instance}", ("stage", "status", "latency", "detail"), rows)
    if result.success:
        _print_line(Verdict.OK, f"{instance} answers; all stages took {_ms(result.latency_ms)}.")
        return
    _print_line(Verdict.WRONG, f"{result.error_class}: {result.error}", result.next_step)


def _print_diagnosis(diagnosis: Diagnosis) -> None:
    section = None
    for finding in diagnosis.findings:
        if finding.section is not section:
            section = finding.section
            console.print(f"\n{section.capitalize()}", style="bold", markup=False)
        _print_line(finding.verdict, _sentence(finding), finding.mend)
    wrong = sum(finding.verdict is Verdict.WRONG for finding in diagnosis.findings)
    console.print()
    _print_line(Verdict.WRONG if wrong else Verdict.OK, f"{wrong} wrong." if wrong else "Nothing is wrong.")


def _sentence(finding: Finding) -> str:
    where = f" ({finding.location})" if finding.location else ""
    return f"{finding.subject}{where}: {finding.detail}"


def _print_line(verdict: Verdict, sentence: str, mend: str | None = None) -> None:
    sign, style = _SIGNS[verdict]
    console.print(f"{sign} {sentence}", style=style, markup=False, soft_wrap=True)
    if mend:
        console.print(f"  → {mend}", markup=False, soft_wrap=True)


def _ms(latency: float | None) -> str:
    return "" if latency is None else f"{latency:.1f} ms"
