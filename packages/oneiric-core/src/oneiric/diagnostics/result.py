"""What came of a connection test, in the form in which the CLI and the MCP server show it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class StageName(StrEnum):
    """The stages of a connection, in their order."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    AUTHENTICATE = "authenticate"
    PING = "ping"


class StageStatus(StrEnum):
    """What came of a stage."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Stage(BaseModel):
    """One stage of a connection test."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    name: StageName
    """`resolve` the host, `connect` by TCP, shake hands for `tls`, `authenticate` as the adapter does, `ping` it."""
    status: StageStatus
    latency_ms: float | None = None
    """How long it took, in milliseconds, where it was tried."""
    detail: str = ""
    """What was found, or why it was skipped."""


class ConnectionTest(BaseModel):
    """Whether an adapter works with a config, stage by stage up to the first that fails."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    success: bool
    latency_ms: float
    """How long all stages took together, in milliseconds."""
    stages: list[Stage]
    """All five, in their order."""
    error: str | None = None
    """What failed, in one sentence, where something did."""
    error_class: str | None = None
    """The kind of failure: ConfigError, UnresolvedReference, TargetRefused, ConnectionFailed, AuthenticationFailed,
    DeadlineExceeded, …"""
    next_step: str | None = None
    """What to do about it, in one sentence."""
