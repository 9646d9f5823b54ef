"""What runs in the child: pytest, with the suite of an installed adapter and nothing of the author's around it.

The request is a line of JSON on standard input, as it may hold secrets; the answer is a file, in the folder that it names.
When standard input ends, so do we: whoever asked is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.config import resolved, schemes_of
from oneiric.discovery import discover
from oneiric.lifecycle.building import referenced
from oneiric.masking import secrets_in
from oneiric.testing.conformance.recorder import Recorder

if TYPE_CHECKING:
    from oneiric.testing.suite import AdapterSuite

_TESTS = """
from oneiric.testing.conformance.session import suite
TestInstalled = suite()
"""
_OPTIONS = [
    *("-p", "pytest_asyncio.plugin"),
    *("-p", "no:cacheprovider"),
    "--noconftest",
    "--import-mode=importlib",
    *("-o", "asyncio_mode=strict"),
    *("-o", "asyncio_default_fixture_loop_scope=function"),
]
_request: dict[str, Any] = {}
_trouble: list[str] = []


def suite() -> type[AdapterSuite] | None:
    """The suite that was requested; None, with the reason kept, where it can't be had."""
    # Imported here, when pytest is about to collect: its assertions are explained only if pytest imports them.
    from oneiric.testing.conformance.suites import suite_of

    try:
        return suite_of(_request["adapter"], _request["config"])
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an author's module may raise anything
        _trouble.append(f"The suite can't be had: {type(error).__name__}: {error}")
        return None


def _end_with_the_parent(pipe: int) -> None:
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run what is requested, and answer."""
    _request.update(json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_the_parent, args=[os.dup(0)], daemon=True).start()
    given = _request["config"]
    secrets: frozenset[str] = frozenset()
    if given is not None:
        _request["config"] = resolved(given, schemes_of(discover().hooks))
        secrets = secrets_in([*referenced(given, _request["config"])])
    folder = Path(_request["folder"])
    tests = folder / "test_installed.py"
    tests.write_text(_TESTS, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / "hypothesis")
    with os.fdopen(os.dup(2), "w", encoding="utf-8") as output:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the adapter and pytest print may hold a secret
        recorder = Recorder(secrets, output, _trouble)
        options = ["-c", str(folder / "pytest.ini"), f"--basetemp={folder / 'tests'}", *_OPTIONS]
        pytest.main([*options, str(tests)], plugins=[recorder])
    (folder / "result.json").write_text(json.dumps(recorder.result()), encoding="utf-8")
