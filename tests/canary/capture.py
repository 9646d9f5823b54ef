"""Everything that a process puts out, in one text: what it writes, logs, warns of, and what nobody caught."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import traceback
import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Captured:
    """The text, which grows while it is captured."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def add(self, *parts: object) -> None:
        """Take what an application could show: strings as they are, errors whole, anything else as `repr` and `str` do."""
        for part in parts:
            if isinstance(part, BaseException):
                self._parts += shown(part)
            else:
                self._parts += [part] if isinstance(part, str) else [repr(part), str(part)]

    def text(self) -> str:
        return "\n".join(self._parts)


def shown(error: BaseException) -> Iterator[str]:
    """All that can be seen of an error, and of every error that it leads to, also where a traceback would leave that out."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield "".join(traceback.format_exception(each))
        yield f"{each!r} {each!s} {each.args!r} {vars(each)!r} {getattr(each, '__notes__', '')}"
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        waiting += [other for other in (each.__cause__, each.__context__, *members) if other is not None]


class _Records(logging.Handler):
    def __init__(self, captured: Captured) -> None:
        super().__init__(logging.DEBUG)
        self._captured = captured

    def emit(self, record: logging.LogRecord) -> None:
        self._captured.add(f"{record.name}: {record.getMessage()}", repr(vars(record)))
        if record.exc_info and record.exc_info[1]:
            self._captured.add(record.exc_info[1])
        for part in record.args if isinstance(record.args, tuple) else ():
            if isinstance(part, BaseException):
                self._captured.add(part)


@contextmanager
def capturing() -> Iterator[Captured]:
    """Capture, with every logger at DEBUG, what this process puts out in the block."""
    captured = Captured()
    with ExitStack() as stack:
        stack.enter_context(_streams(captured))
        stack.enter_context(_loggers(_Records(captured)))
        stack.enter_context(_hooks(captured))
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        yield captured
        captured.add(*(str(warning) for warning in caught))


@contextmanager
def _loggers(handler: logging.Handler) -> Iterator[None]:
    """The root's, and each that keeps its records to itself."""
    known = [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = [(logger, logger.level) for logger in (logging.getLogger(), *known)]
    heard = [logger for logger, _ in before if logger.parent is None or not logger.propagate]
    for logger, level in before:
        if logger in heard or level:
            logger.setLevel(logging.DEBUG)
    for logger in heard:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in heard:
            logger.removeHandler(handler)
        for logger, level in before:
            logger.setLevel(level)


@contextmanager
def _streams(captured: Captured) -> Iterator[None]:
    """Standard output and error, also where they are written past Python."""
    with tempfile.TemporaryFile() as file, ExitStack() as stack:
        for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            saved = os.dup(number)
            os.dup2(file.fileno(), number)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
        for name in ("stdout", "stderr"):  # pytest has put its own in their places
            stack.callback(setattr, sys, name, getattr(sys, name))
            setattr(sys, name, stack.enter_context(open(file.fileno(), "w", closefd=False)))
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            file.seek(0)
            captured.add(file.read().decode(errors="backslashreplace"))


@contextmanager
def _hooks(captured: Captured) -> Iterator[None]:
    """What was raised where nobody could catch it."""

    def unraisable(raised: Any) -> None:
        captured.add(str(raised.err_msg), repr(raised.object), raised.exc_value)

    def in_thread(raised: Any) -> None:
        captured.add(raised.exc_value)

    before = sys.unraisablehook, threading.excepthook
    sys.unraisablehook, threading.excepthook = unraisable, in_thread
    try:
        yield
    finally:
        sys.unraisablehook, threading.excepthook = before
