"""The passport that is packaged with an adapter."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterSpec, Catalog, ConfigStore
from oneiric.inspection import describe
from oneiric.passport import file_of, passport_of
from pydantic_core import to_json

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

PASSPORT: dict[str, Any] = {
    "adapter": "nova",
    "type": "database",
    "conformant": True,
    "suite_level": 1,
    "suite": "oneiric.testing.database.suite:DatabaseSuite",
    "distribution": "nova-post",
    "version": "1.0",
    "core": "0.1.0",
    "python": "3.11.7",
    "drivers": {"novadb": "2.1"},
    "capabilities": {"declared": ["durable"], "proved": ["durable"], "without": []},
    "tests": {"passed": 5, "failed": 0, "skipped": 1, "xfailed": 1},
    "failures": [],
    "xfails": [{"test": "test_a", "reason": "it can't"}],
    "skips": [{"test": "test_b", "reason": "no network"}],
    "seconds": 1.5,
    "date": "2026-01-02T03:04:05+00:00",
}


def spec(**changes: Any) -> AdapterSpec:
    values: dict[str, Any] = {
        "type": "database",
        "summary": "A database.",
        "adapter": "nova_post.adapter:Nova",
        "capabilities": {"durable"},
        "distribution": "nova-post",
        "version": "1.0",
    }
    return AdapterSpec("nova", **(values | changes))


@pytest.fixture
def file(site: Site) -> Path:
    """Where the passport of the adapter is, in a package that can't be imported."""
    site.write({"nova_post/__init__.py": "raise SystemExit('imported')", "nova_post/passports/nova.json": "{}"})
    return site.folder / "nova_post/passports/nova.json"


def passport(**changes: Any) -> str:
    return json.dumps(PASSPORT | changes)


def test_a_passport_is_shown_and_the_adapter_not_imported(file: Path):
    file.write_text(passport())
    shown = describe(spec(), Catalog([]), ConfigStore.load(overrides={}, environ={}))
    assert shown.passport_problem is None
    assert shown.passport is not None
    assert json.loads(to_json(shown.passport)) == PASSPORT
    assert str(shown.passport) == (
        "conformant with level 1 of the kit: 5 passed, 0 failed, 1 excused, 1 skipped (1.0, 2026-01-02)"
    )


def test_an_adapter_without_a_passport_has_none_and_no_problem(file: Path):
    file.unlink()
    assert passport_of(spec()) == (None, None)
    assert passport_of(spec(adapter="alone:Nova")) == (None, None)
    assert passport_of(spec(adapter="no.such.package:Nova")) == (None, None)


@pytest.mark.parametrize(
    ("changes", "installed", "said"),
    [
        ({}, {"version": "1.1"}, "is of version 1.0, and 1.1 is installed. Run: oneiric conformance nova"),
        ({}, {"capabilities": {"durable", "more"}}, "is of other capabilities than it declares now"),
    ],
)
def test_a_passport_of_something_else_is_shown_and_said_to_be(
    file: Path, changes: dict[str, Any], installed: dict[str, Any], said: str
):
    file.write_text(passport(**changes))
    found, problem = passport_of(spec(**installed))
    assert found is not None
    assert said in str(problem)


def test_a_passport_of_an_older_kit_is_shown_and_said_to_be(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("oneiric.passport.SUITE_LEVEL", 2)
    file.write_text(passport())
    assert "is of level 1 of the kit, and 2 is there" in str(passport_of(spec())[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is broken, or was changed by hand"),
        ("{}", "is broken"),
        ("[" * 100_000, "is broken"),
        ("\0", "is broken"),
        (passport(adapter="other"), "is another adapter's"),
        (passport(distribution="other"), "is another adapter's"),
        (passport(type="queue"), "is another adapter's"),
        (passport(conformant=True, failures=[{"test": "a", "reason": "b"}]), "is broken"),
        (passport(tests=PASSPORT["tests"] | {"failed": 3}), "is broken"),
        (passport(tests=PASSPORT["tests"] | {"passed": 0}), "is broken"),
        (passport(tests=PASSPORT["tests"] | {"passed": -1}), "is broken"),
        (passport(capabilities={"declared": [], "proved": ["x"], "without": []}), "is broken"),
        (passport(skips=[{"test": "a", "reason": "\x1b[2J"}]), "is broken"),
        (passport(skips=[{"test": "a", "reason": "x" * 1001}]), "is broken"),
        (passport(padding="x" * 300_000), "is larger than 256 KiB"),
    ],
)
def test_what_is_no_passport_is_none_and_says_so(file: Path, text: str, said: str):
    file.write_text(text)
    found, problem = passport_of(spec())
    assert found is None
    assert said in str(problem)


def test_what_is_no_file_is_no_passport(file: Path):
    file.unlink()
    os.mkfifo(file)
    assert passport_of(spec()) == (None, None)
    file.unlink()
    file.mkdir()
    assert passport_of(spec()) == (None, None)


def test_a_passport_of_a_newer_kit_may_say_more(file: Path):
    file.write_text(passport(suite_level=7, moon="full"))
    assert passport_of(spec())[1] is None


def test_an_adapter_in_a_package_that_others_share_has_its_own_folder(site: Site):
    site.write({"acme/nova/adapter.py": ""})
    assert file_of(spec(adapter="acme.nova.adapter:Nova")) == site.folder / "acme/nova/passports/nova.json"
