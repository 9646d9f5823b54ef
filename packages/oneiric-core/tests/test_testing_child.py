"""A process that uses an adapter until it is killed."""

from __future__ import annotations

import dataclasses

import pytest
from oneiric.testing import child
from oneiric.testing.memory.queue import SPEC


def test_it_is_killed_when_its_work_is_done_however_much_it_says_meanwhile():
    child.kill_after("import sys\nprint('x' * 1_000_000, file=sys.stderr)", SPEC, {})


@pytest.mark.parametrize(
    ("body", "said"), [("1 / 0", "ZeroDivisionError"), ("await asyncio.Event().wait()", "did not do its work within")]
)
def test_work_that_fails_or_never_ends_is_said(body: str, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(child, "_WITHIN", 5.0)
    with pytest.raises(pytest.fail.Exception, match=said):
        child.kill_after(body, SPEC, {})


def test_an_adapter_that_can_not_be_imported_is_said():
    with pytest.raises(pytest.fail.Exception, match="No module named 'nowhere'"):
        child.kill_after("pass", dataclasses.replace(SPEC, adapter="nowhere:Nothing"), {})
