"""What an adapter's run of the conformance kit has shown: packaged with the adapter, and read without importing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from oneiric.discovery.availability import find

if TYPE_CHECKING:
    from oneiric.spec import AdapterSpec

SUITE_LEVEL = 1
"""Which edition of the kit this is: it rises when a test is added that a right adapter may have failed until now."""

_FOLDER = "passports"
_MAX_BYTES = 256 * 1024


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not one line of text that can be printed")
    return text


Line = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]
Name = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class Case(_Model):
    """A test that did not simply pass, and why."""

    test: Name
    reason: Line


class Proofs(_Model):
    """The capabilities of the adapter, and what came of them."""

    declared: tuple[Name, ...]
    """By its plugin."""
    proved: tuple[Name, ...]
    """A test that asks for it has passed."""
    without: tuple[Name, ...]
    """Not in the config that was tested, as its settings say."""


class Counts(_Model):
    """How many tests ended how; one with several cases counts as many."""

    passed: int = Field(ge=0)
    failed: int = Field(ge=0)
    skipped: int = Field(ge=0)
    xfailed: int = Field(ge=0)


class Passport(_Model):
    """The outcome of one run of the kit against one version of an adapter."""

    adapter: Name
    type: Name
    conformant: bool
    """Whether every test of the kit was run, and passed, was excused with a reason, or was skipped by the kit itself."""
    suite_level: int = Field(ge=1)
    """The edition of the kit."""
    suite: Name
    """`module:Class` of the suite."""
    distribution: Name | None
    version: Name | None
    """The distribution's."""
    core: Name
    """The version of oneiric-core, and so of the kit."""
    python: Name
    drivers: dict[Name, Name]
    """The versions of what the distribution requires."""
    capabilities: Proofs
    tests: Counts
    failures: tuple[Case, ...]
    xfails: tuple[Case, ...]
    """What the adapter is excused from, in its author's words."""
    skips: tuple[Case, ...]
    seconds: float = Field(ge=0)
    date: Name
    """When it was run, ISO 8601 in UTC."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.conformant and (self.tests.failed or self.failures or not self.tests.passed):
            raise ValueError("it says that the adapter is conformant, and that tests have failed")
        if not set(self.capabilities.proved) <= set(self.capabilities.declared):
            raise ValueError("it proves a capability that is not declared")
        return self

    def __str__(self) -> str:
        """One line: the verdict, and what it stands on."""
        verdict = "conformant" if self.conformant else "NOT conformant"
        tests = self.tests
        counts = f"{tests.passed} passed, {tests.failed} failed, {tests.xfailed} excused, {tests.skipped} skipped"
        return f"{verdict} with level {self.suite_level} of the kit: {counts} ({self.version}, {self.date[:10]})"


def file_of(spec: AdapterSpec) -> Path | None:
    """Where the adapter's passport is, or would be: beside its module; None where that is in no package.

    Imports nothing of it.
    """
    package = spec.adapter.partition(":")[0].rpartition(".")[0]
    found = find(package) if package else None
    folders = list(found.submodule_search_locations or ()) if found else []
    return Path(folders[0]) / _FOLDER / f"{spec.name}.json" if folders else None


def passport_of(spec: AdapterSpec) -> tuple[Passport | None, str | None]:
    """The passport that is packaged with the adapter, and a sentence on what is wrong with it, where something is."""
    file = file_of(spec)
    try:
        if file is None or not file.is_file():
            return None, None
        with file.open("rb") as opened:
            text = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        return None, f"Its passport can't be read: {error.strerror}."
    if len(text) > _MAX_BYTES:
        return None, f"Its passport is larger than {_MAX_BYTES // 1024} KiB, and so none."
    try:
        passport = Passport.model_validate_json(text)
    except (ValueError, RecursionError):
        return None, "Its passport is broken, or was changed by hand."
    if (passport.adapter, passport.type, passport.distribution) != (spec.name, spec.type, spec.distribution):
        return None, "Its passport is another adapter's."
    return passport, _mismatch(passport, spec)


def _mismatch(passport: Passport, spec: AdapterSpec) -> str | None:
    """Why the passport doesn't speak for what is installed, as a sentence."""
    again = f"Run: oneiric conformance {spec.name}"
    if passport.version != spec.version:
        return f"Its passport is of version {passport.version}, and {spec.version} is installed. {again}"
    if set(passport.capabilities.declared) != spec.capabilities:
        return f"Its passport is of other capabilities than it declares now. {again}"
    if passport.suite_level < SUITE_LEVEL:
        return f"Its passport is of level {passport.suite_level} of the kit, and {SUITE_LEVEL} is there. {again}"
    return None
