"""Wrong adapters are caught, each by the test of the kit that is there for it; the right one passes that test."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MODULES = sorted(
    file.stem for file in (TESTS / "mutants").glob("*.py") if file.stem not in {"__init__", "echo", "harness"}
)


@pytest.mark.timeout(320)  # on a machine that is busy; a quiet one takes a minute for the longest
@pytest.mark.parametrize("module", MODULES)
def test_every_mutant_is_caught_by_its_test(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(TESTS))
    from mutants.harness import survivors

    (tmp_path / "run").mkdir()
    assert survivors(f"mutants.{module}", tmp_path / "run") == []
