"""Running the kit against an installed adapter, in a child process, and writing what came of it into a passport."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.errors import OneiricError
from oneiric.passport import SUITE_LEVEL, Case, Counts, Passport, Proofs
from oneiric.testing.conformance.homes import path_of_suite
from oneiric.testing.drivers import driver_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oneiric.spec import AdapterSpec

_NEEDED = ("pytest", "pytest_asyncio", "hypothesis")
_LONGEST = 1800.0
"""Seconds that a run may take, whatever the adapter does."""


def run_kit(spec: AdapterSpec, config: Mapping[str, Any] | None) -> Passport:
    """Run the kit; returns the passport, whatever it says. Failures are told on standard error as they come.

    Raises OneiricError where the kit can't be run.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise OneiricError(
            f"The conformance kit needs {' and '.join(missing)}.", hint='Run: pip install "oneiric-core[testing]"'
        )
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oneiric-conformance-", ignore_cleanup_errors=True) as folder:
        result = _run({"adapter": spec.name, "config": config, "folder": folder})
    return _passport(spec, result, time.monotonic() - started)


def _run(request: Mapping[str, Any]) -> Mapping[str, Any]:
    answer = Path(request["folder"]) / "result.json"
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", "from oneiric.testing.conformance.session import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # so that servers that the suite starts end with it
    )
    try:
        assert child.stdin is not None
        with suppress(BrokenPipeError):
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
        child.wait(_LONGEST)
    except subprocess.TimeoutExpired:
        return {"cases": [], "lacking": [], "trouble": [f"The run did not end within {_LONGEST:.0f} s."]}
    finally:
        _end(child)
    with suppress(OSError, ValueError):
        result: Mapping[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return result
    return {
        "cases": [],
        "lacking": [],
        "trouble": [f"The process of the tests ended with exit code {child.returncode}."],
    }


def _end(child: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdin is not None:
        child.stdin.close()


def _passport(spec: AdapterSpec, result: Mapping[str, Any], seconds: float) -> Passport:
    cases: list[dict[str, Any]] = result["cases"]
    failures = [*_cases(cases, "failed"), *(Case(test="", reason=trouble[:1000]) for trouble in result["trouble"])]
    passed = [case for case in cases if case["outcome"] == "passed"]
    return Passport(
        adapter=spec.name,
        type=spec.type,
        conformant=bool(passed) and not failures,
        suite_level=SUITE_LEVEL,
        suite=path_of_suite(spec),
        distribution=spec.distribution,
        version=spec.version,
        core=version("oneiric-core"),
        python=platform.python_version(),
        drivers=driver_versions(spec.distribution) if spec.distribution else {},
        capabilities=Proofs(
            declared=tuple(sorted(spec.capabilities)),
            proved=tuple(sorted({each for case in passed for each in case["asked_for"]})),
            without=tuple(result["lacking"]),
        ),
        tests=Counts(
            passed=len(passed),
            failed=len(failures),
            skipped=len(_cases(cases, "skipped")),
            xfailed=len(_cases(cases, "xfailed")),
        ),
        failures=tuple(failures),
        xfails=_once(_cases(cases, "xfailed")),
        skips=_once(_cases(cases, "skipped")),
        seconds=round(seconds, 1),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _cases(cases: Iterable[Mapping[str, Any]], outcome: str) -> list[Case]:
    return [Case(test=case["test"], reason=case["reason"]) for case in cases if case["outcome"] == outcome]


def _once(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Each test once for each reason, however many cases it has."""
    names = {(case.test.partition("[")[0], case.reason) for case in cases}
    return tuple(Case(test=test, reason=reason) for test, reason in sorted(names))
