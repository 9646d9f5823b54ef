"""What became of each test, kept while pytest runs; the failures are told as they come, without secrets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from oneiric.masking import secrets_in, without_secrets
from oneiric.testing import _explain_assertions
from oneiric.testing.guard import KitSkip, excuses, kit_tests
from oneiric.testing.under_test import ASKED_FOR
from oneiric.validation import check

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Mapping

_MAX_REASON = 700


@dataclass(slots=True)
class Ended:
    """How one case of a test ended."""

    test: str
    outcome: str
    """`passed`, `failed`, `skipped` (by the kit), or `xfailed`."""
    reason: str
    asked_for: tuple[str, ...]
    """The capabilities that it found to be there."""


class Recorder:
    """A plugin of pytest, for one run of one suite."""

    def __init__(self, secrets: Collection[str], output: TextIO, trouble: list[str]) -> None:
        self.trouble = trouble
        """What kept tests from being run."""
        self._secrets = frozenset(secrets)
        self._output = output
        self._lacking: list[frozenset[str]] = []
        self._cases: dict[str, Ended] = {}
        self._suite: type | None = None
        self._total = 0

    def result(self) -> Mapping[str, Any]:
        """Everything that is known, for JSON."""
        return {
            "cases": [asdict(case) for case in self._cases.values()],
            "lacking": sorted(frozenset.intersection(*self._lacking)) if self._lacking else [],
            "trouble": [self._line(trouble) for trouble in (self.trouble or self._left_out())],
        }

    def _left_out(self) -> Iterator[str]:
        """The tests of the kit that were not run, and the excuses that nothing needed."""
        outcomes: defaultdict[str, set[str]] = defaultdict(set)
        for case in self._cases.values():
            outcomes[case.test.partition("[")[0]].add(case.outcome)
        if self._suite is None:
            yield "There was no test."
            return
        yield from (f"{test} was not run." for test in sorted(kit_tests(self._suite) - outcomes.keys()))
        for test in excuses(self._suite):
            if outcomes[test] == {"passed"}:
                yield f"{test} is excused, and has no such case."

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Keep pytest's own report away: it shows values."""
        _explain_assertions()
        config.pluginmanager.unregister(name="terminalreporter")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A suite that can't be imported."""
        if report.failed:
            self.trouble.append(str(report.longrepr).strip().rpartition("\n")[2])

    def pytest_internalerror(self, excrepr: object) -> None:
        """An error of pytest, or of what it was told to run."""
        self.trouble.append(str(excrepr).strip().rpartition("\n")[2])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests are known."""
        self._total = len(session.items)
        classes = [item.cls for item in session.items if isinstance(item, pytest.Function)]
        self._suite = classes[0] if classes else None
        print(f"{self._total} tests …", file=self._output, flush=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """A config has been made: its secrets are kept out of what is told from here on, whichever test has them."""
        value = yield
        if fixturedef.argname == "config":
            settings, _ = check(request.getfixturevalue("spec").settings, value)
            self._secrets |= secrets_in(settings)
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A phase of a test has ended: the worst of them counts."""
        report = yield
        secrets = self._secrets | self._secrets_of(item)
        case = self._cases.setdefault(item.nodeid, Ended(item.name, "passed", "", ()))
        outcome, reason = _outcome(report, call)
        if outcome != "passed" and case.outcome != "failed":
            case.outcome, case.reason = outcome, self._line(reason, secrets)
            if outcome == "failed":
                print(f"FAILED {case.test}: {case.reason}", file=self._output, flush=True)
        case.asked_for = tuple(sorted({str(value) for name, value in item.user_properties if name == ASKED_FOR}))
        return report

    def pytest_runtest_logfinish(self) -> None:
        """Say how far we are, now and then."""
        if len(self._cases) % 50 == 0:
            print(f"  {len(self._cases)} of {self._total}", file=self._output, flush=True)

    def _secrets_of(self, item: pytest.Item) -> frozenset[str]:
        given = getattr(item, "funcargs", {})
        if "config" not in given or "spec" not in given:
            return frozenset()
        settings, _ = check(given["spec"].settings, given["config"])
        if settings is not None:
            self._lacking.append(settings.lacks())
        return secrets_in(settings)

    def _line(self, text: str, secrets: Collection[str] | None = None) -> str:
        """The text in one line, without secrets."""
        hidden = without_secrets(text, self._secrets if secrets is None else secrets)
        line = " ".join(hidden.encode(errors="backslashreplace").decode().split())[:_MAX_REASON]
        return "".join(sign if sign.isprintable() else "?" for sign in line)


def _outcome(report: pytest.TestReport, call: pytest.CallInfo[None]) -> tuple[str, str]:
    if report.passed:
        return "passed", ""
    if hasattr(report, "wasxfail"):
        return "xfailed", str(report.wasxfail)
    error = call.excinfo.value if call.excinfo else None
    if report.skipped:
        if isinstance(error, KitSkip):
            return "skipped", str(error)
        return "failed", f"It was skipped, and not by the kit: {error}"
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return "failed", str(error).partition("\n")[
            0
        ] or "AssertionError"  # the kit's sentence, without what it compared
    return "failed", f"{type(error).__name__}: {error}" if error else str(report.longrepr)
