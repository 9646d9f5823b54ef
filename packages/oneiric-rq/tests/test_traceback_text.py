"""The error of a traceback."""

from __future__ import annotations

import json
import traceback

import pytest
from oneiric_rq.traceback_text import LONGEST_ERROR, error_of


def raised(error: BaseException) -> str:
    try:
        raise error
    except type(error) as caught:
        return "".join(traceback.format_exception(caught))


@pytest.mark.parametrize("message", ["no luck", "two\nlines", "a\n\nb", "  indented", "ä: b", "Traceback: x"])
def test_it_is_the_last_exception_with_its_whole_message(message: str) -> None:
    assert error_of(raised(ValueError(message))) == f"ValueError: {message}"


def test_a_cause_is_not_it() -> None:
    error = ValueError("effect")
    error.__cause__ = KeyError("cause")
    assert error_of(raised(error)) == "ValueError: effect"


def test_its_class_is_named_without_its_module() -> None:
    class Sour(Exception):
        pass

    assert error_of(raised(Sour("a.b: c"))) == "Sour: a.b: c"
    assert error_of(raised(Sour())) == "Sour"
    assert error_of(raised(json.JSONDecodeError("bad.thing", "", 0))).startswith("JSONDecodeError: bad.thing")
    assert error_of(raised(ValueError("first\nsecond.line: x"))) == "ValueError: first\nsecond.line: x"


def test_what_is_no_traceback_is_given_as_it_is() -> None:
    assert error_of("Work-horse terminated unexpectedly; waitpid returned 9; ") == (
        "Work-horse terminated unexpectedly; waitpid returned 9;"
    )
    assert error_of("") == ""


def test_a_long_one_is_cut() -> None:
    assert len(error_of(raised(ValueError("x" * 1_000_000)))) == LONGEST_ERROR + 1


def test_a_group_is_told_by_something() -> None:
    assert error_of(raised(ExceptionGroup("many", [ValueError("one")])))
