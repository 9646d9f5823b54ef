"""Running the kit's tests against wrong adapters, all those of one module in one child process.

A module of mutants has a list `MUTANTS`, and `test_mutants.py` finds it by itself:

```python
class TestRight(QueueSuite):            # the control, which has to pass what catches the mutants
    adapter_name = "memory-queue"

class ForgetsTheArguments(MemoryQueue):
    async def submit_task(self, task_name, args=(), kwargs=None, **options):
        return await super().submit_task(task_name, (), kwargs, **options)

MUTANTS = [Mutant(ForgetsTheArguments, TestRight, "test_the_arguments_arrive_as_they_were")]
```
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.spec import AdapterSpec
    from oneiric.testing import AdapterSuite

_FILE = "test_generated.py"
_PROGRAM = """
from mutants.harness import suites
globals().update(suites({module!r}))
"""
_CONFTEST = """
import pytest

failed = set()

def pytest_runtest_logreport(report):
    if report.failed:
        failed.add(report.nodeid.partition("[")[0])

def pytest_runtest_setup(item):
    if item.nodeid.partition("[")[0] in failed:
        pytest.skip("another case of this test has failed")
"""
"""One case is enough, and what a mutant never does is waited for in each."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A wrong adapter, the suite of the right one, and the name of the test that has to fail."""

    adapter: type
    right: type[AdapterSuite]
    caught_by: str
    spec: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What its spec declares other than the right one's, as `{"capabilities": frozenset({…})}`."""

    @property
    def name(self) -> str:
        return f"Test{self.adapter.__name__}"


def suites(module: str) -> dict[str, type]:
    """The suite of each mutant of a module, and the right ones, by the names under which pytest finds them."""
    found: dict[str, type] = {}
    for mutant in import_module(module).MUTANTS:
        assert mutant.name not in found, f"two mutants are named {mutant.adapter.__name__}"
        found[_control(mutant)] = mutant.right
        found[mutant.name] = _suite(mutant)
    return found


def survivors(module: str, folder: Path) -> list[str]:
    """Run the mutants of a module, in a folder that is empty; returns a sentence for each that its test doesn't catch."""
    mutants: list[Mutant] = import_module(module).MUTANTS
    tests = {f"{_FILE}::{name}::{m.caught_by}" for m in mutants for name in (m.name, _control(m))}
    outcomes = _run(module, folder, sorted(tests))
    problems = []
    for mutant in mutants:
        right, wrong = outcomes.get((_control(mutant), mutant.caught_by)), outcomes.get((mutant.name, mutant.caught_by))
        if right != "passed":
            problems.append(f"{mutant.caught_by} does not pass with the right adapter ({right})")
        if wrong != "failed":
            problems.append(f"{mutant.adapter.__name__} survives {mutant.caught_by} ({wrong})")
    return problems


def _control(mutant: Mutant) -> str:
    return f"TestControl{mutant.right.__name__}"


def _suite(mutant: Mutant) -> type:
    # A fixture of the same name in a class of its base's is hidden, and can't be asked for.
    rights: Any = inspect.getattr_static(mutant.right, "spec")

    @pytest.fixture
    def spec(self: object) -> AdapterSpec:
        path = f"{mutant.adapter.__module__}:{mutant.adapter.__name__}"
        return dataclasses.replace(rights.__wrapped__(self), **{"adapter": path, **mutant.spec})

    return type(mutant.right)(mutant.name, (mutant.right,), {"spec": spec, "__module__": mutant.adapter.__module__})


def _run(module: str, folder: Path, tests: list[str]) -> dict[tuple[str, str], str]:
    """The outcome of each test by its class and name; of several cases the worst counts."""
    (folder / _FILE).write_text(_PROGRAM.format(module=module))
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "--junit-xml=out.xml", *tests],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (folder / "out.xml").exists(), done.stdout + done.stderr
    outcomes: dict[tuple[str, str], str] = {}
    for case in ET.parse(folder / "out.xml").iter("testcase"):
        key = (case.attrib["classname"].rpartition(".")[2], case.attrib["name"].partition("[")[0])
        rank = ("skipped", "passed", "failed", "error")
        outcomes[key] = max(outcomes.get(key, "skipped"), _outcome(case), key=rank.index)
    assert outcomes, done.stdout + done.stderr
    return outcomes


def _outcome(case: ET.Element) -> str:
    """Of a test that has failed, an error in what follows is no more than a consequence; one alone proves nothing."""
    kinds = {child.tag for child in case}
    outcomes = {"failure": "failed", "error": "error", "skipped": "skipped"}
    return next((outcome for kind, outcome in outcomes.items() if kind in kinds), "passed")
