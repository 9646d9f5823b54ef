"""From what a connection test ended with to the stage that it belongs to, one sentence, and one next step."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from oneiric.diagnostics.result import StageName
from oneiric.errors import (
    AdapterUnavailable,
    AuthenticationFailed,
    ConfigError,
    ConnectionFailed,
    DeadlineExceeded,
    InitFailed,
    OneiricError,
    TargetRefused,
    Unhealthy,
    UnresolvedReference,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 32
"""How many errors of a chain are looked at; a chain may be a circle."""

_TOLD = 3
"""How many problems of a config are told in one sentence."""


_ALWAYS_OURS = (TargetRefused, AdapterUnavailable)
"""Errors whose sentence is always Oneiric's own, and never what a backend or an adapter says."""

_SENTENCES: dict[type[BaseException], tuple[str, str]] = {
    AuthenticationFailed: ("The backend refuses the credentials.", "Correct the user and the password."),
    DeadlineExceeded: ("The backend did not answer in time.", "Check that it is the backend that the config means."),
    ConnectionFailed: ("The adapter could not connect.", "Check the address, and that the backend is running."),
    Unhealthy: ("The adapter was initialised, and its health check says no.", "Look into the backend's own log."),
    OneiricError: ("The adapter's init failed.", "Look into the log of the server that ran the test."),
}
"""What is said in place of an adapter's own sentence, which may repeat what a backend sent; and the next step."""


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and the members of groups among them."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _DEEPEST:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        behind = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [*members, *([behind] if behind else [])]


def stage_of(error: BaseException) -> StageName:
    """The stage that a failure of an adapter's init belongs to, by its class and what it was raised from."""
    kinds = list(causes_of(error))
    if any(isinstance(kind, AuthenticationFailed) for kind in kinds):
        return StageName.AUTHENTICATE
    if any(isinstance(kind, ssl.SSLError) for kind in kinds):
        return StageName.TLS
    if any(isinstance(kind, socket.gaierror) for kind in kinds):
        return StageName.RESOLVE
    if any(isinstance(kind, OSError) and not isinstance(kind, TimeoutError) for kind in kinds):
        return StageName.CONNECT
    return StageName.AUTHENTICATE


def error_class_of(error: OneiricError) -> str:
    """The name of the error's class; where init raised none of ours, that of the class of ours that says what it was."""
    if isinstance(error, InitFailed) and stage_of(error) is not StageName.AUTHENTICATE:
        return ConnectionFailed.__name__
    return type(error).__name__


def sentence_of(error: OneiricError, *, is_ours: bool) -> str:
    """What failed. Where the error is not one of Oneiric's own code's, its words are not repeated."""
    if not (is_ours or isinstance(error, _ALWAYS_OURS)):
        return _known(error)[0]
    if isinstance(error, ConfigError) and error.problems:
        told = " ".join(map(str, error.problems[:_TOLD]))
        more = len(error.problems) - _TOLD
        return f"{error.message} {told}" + (f" {more} more are wrong." if more > 0 else "")
    return error.message


def next_step_of(error: OneiricError, *, is_ours: bool) -> str:
    """What to do about it."""
    if error.hint and (is_ours or isinstance(error, _ALWAYS_OURS)):
        return error.hint
    if isinstance(error, UnresolvedReference):
        return "Set what the reference names, or correct the reference."
    if isinstance(error, ConfigError):
        return f"Correct the config: `oneiric explain {error.adapter}` shows where each value comes from."
    return _known(error)[1]


def _known(error: OneiricError) -> tuple[str, str]:
    if error_class_of(error) == ConnectionFailed.__name__:
        return _SENTENCES[ConnectionFailed]
    return next(said for kind, said in _SENTENCES.items() if isinstance(error, kind))
