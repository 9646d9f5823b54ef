"""How a task has ended: an entry of the stream in which RQ keeps results."""

from __future__ import annotations

import binascii
import json
import zlib
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, NoReturn

from rq.defaults import UNSERIALIZABLE_RETURN_VALUE_PAYLOAD

from oneiric_rq.traceback_text import error_of

_SUCCEEDED, _FAILED, _MAX_RETRIES_EXCEEDED = b"1", b"2", b"5"
NO_JSON = "TypeError: The task returned what JSON can't hold."
UNREADABLE = "The result is not JSON: the worker that has run the task has another serializer."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task has returned, or the error with which it failed."""

    result: Any = None
    error: str | None = None
    traceback: str | None = None
    is_unreadable: bool = False
    """Whether it has returned something, which can't be read here."""


def read(entries: list[Any]) -> Outcome | None:
    """The last of the entries, of which there is one at most; None where there is none, or it says nothing of an end."""
    if not entries:
        return None
    parts = entries[0][1]
    entry = dict(zip(parts[::2], parts[1::2], strict=True))
    kind = entry.get(b"type")
    if kind == _SUCCEEDED:
        return _returned(entry.get(b"return_value"))
    if kind == _FAILED:
        return _raised(entry.get(b"exc_string", b""))
    if kind == _MAX_RETRIES_EXCEEDED:
        return Outcome(error="Retry: The task has asked to be run again more often than it may.")
    return None


def _returned(encoded: bytes | None) -> Outcome:
    if encoded is None:  # RQ leaves it out where it is None
        return Outcome()
    try:
        raw = b64decode(encoded)
        value = json.loads(raw, parse_constant=_no_json)
    except NotFiniteError:
        return Outcome(error=NO_JSON)
    except (ValueError, RecursionError):
        return Outcome(is_unreadable=True)
    # An unmodified worker keeps these words as the result of a task whose own it could not write down.
    return Outcome(error=NO_JSON) if value == UNSERIALIZABLE_RETURN_VALUE_PAYLOAD else Outcome(result=value)


class NotFiniteError(ValueError):
    """A number that is none: Python writes it into JSON all the same."""


def _no_json(word: str) -> NoReturn:
    raise NotFiniteError(word)


def _raised(encoded: bytes) -> Outcome:
    try:
        text = zlib.decompress(b64decode(encoded)).decode(errors="replace")
    except (zlib.error, binascii.Error):
        return Outcome(error="The error that the worker has written down can't be read.")
    return Outcome(error=error_of(text), traceback=text)
