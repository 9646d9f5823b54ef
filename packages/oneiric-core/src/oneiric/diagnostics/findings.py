"""What the doctor finds, in the form in which the CLI shows it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from oneiric.diagnostics.result import ConnectionTest


class Section(StrEnum):
    """What a finding is about, in the order of the report."""

    INSTALLATION = "installation"
    PLUGINS = "plugins"
    CONFIG = "config"
    INSTANCES = "instances"
    CONNECTIONS = "connections"


class Verdict(StrEnum):
    """Whether something is to be done about a finding."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(BaseModel):
    """One thing that the doctor looked at."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    section: Section
    subject: str
    """What it is about: a package, a plugin, a file, a variable, an instance."""
    verdict: Verdict = Verdict.OK
    detail: str = ""
    """What was found, in a sentence."""
    location: str | None = None
    """The file and line, or the variable, that it comes from."""
    mend: str | None = None
    """What to do about it."""
    connection: ConnectionTest | None = None
    """The stages, of an instance's connection."""


class Diagnosis(BaseModel):
    """Everything that the doctor looked at."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    healthy: bool
    """Whether nothing is wrong; warnings don't count."""
    findings: list[Finding]
