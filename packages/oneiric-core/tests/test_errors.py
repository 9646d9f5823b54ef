"""The tree of errors."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from oneiric import errors
from oneiric.validation import Problem

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


def _tree() -> dict[str, str | None]:
    """Each error of the drawing in the module's docstring, with its parent."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in str(errors.__doc__).split("```")[1].strip().splitlines():
        name = line.lstrip("│├└─ ").split()[0]
        depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
        path[depth:] = [name]
        parents[name] = path[depth - 1] if depth else None
    return parents


def test_the_docstring_draws_the_tree_as_it_is():
    drawn = _tree()
    assert drawn.keys() == {kind.__name__ for kind in ALL}
    for name, parent in drawn.items():
        assert parent is None or getattr(errors, name).__bases__[0].__name__ == parent


@pytest.mark.parametrize("kind", ALL)
def test_the_docstring_names_the_builtin_that_a_caller_would_catch(kind: type[errors.OneiricError]):
    builtin = next((base for base in kind.__bases__ if base.__module__ == "builtins" and base is not Exception), None)
    line = next(
        line for line in str(errors.__doc__).splitlines() if f" {kind.__name__} " in f" {line.lstrip('│├└─ ')} "
    )
    assert builtin is None or f"({builtin.__name__})" in line


@pytest.mark.parametrize("kind", ALL)
def test_every_error_keeps_what_it_knows_through_pickle_and_copy(kind: type[errors.OneiricError]):
    error = kind("It is so.", adapter="orders", hint="Do this.")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert (str(twin), twin.adapter, twin.hint, twin.transient) == (
            "orders: It is so. Do this.",
            "orders",
            "Do this.",
            error.transient,
        )


def test_problems_survive_pickle():
    error = errors.ConfigError("It is wrong.", problems=[Problem("a.b", "`a.b` is not a setting.", "a.c")])
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


def test_a_config_error_lists_every_problem_on_a_line():
    error = errors.ConfigError("It is wrong.", problems=[Problem("a", "One.", "b"), Problem("", "Two.")])
    assert str(error) == "It is wrong.\n  - One. Did you mean `b`?\n  - Two."


def test_the_adapter_is_said_once():
    assert str(errors.OneiricError("The orders are closed.", adapter="orders")) == "The orders are closed."


def test_what_may_pass_by_itself_is_transient():
    assert {kind.__name__ for kind in ALL if kind.transient} == {"DeadlineExceeded", "ConnectionFailed"}
    assert errors.QueryError("Locked.", transient=True).transient
    assert not errors.ConnectionFailed("Refused.", transient=False).transient
    assert not errors.QueryError("Wrong.").transient


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.UnknownAdapter, LookupError),
        (errors.AdapterUnavailable, ImportError),
        (errors.NotInitialized, RuntimeError),
        (errors.DeadlineExceeded, TimeoutError),
        (errors.Unsupported, NotImplementedError),
        (errors.ConnectionFailed, ConnectionError),
    ],
)
def test_the_builtin_of_a_kind_catches_it(kind: type[errors.OneiricError], builtin: type[Exception]):
    with pytest.raises(builtin, match="so"):
        raise kind("It is so.")
