"""What goes to a backend as JSON: the arguments of a task, the body of a message."""

from __future__ import annotations

import json
from math import isfinite

MAX_DEPTH = 100
"""How deep lists and objects may lie in each other; beyond, a parser somewhere gives up."""

_as_text = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode

_PLAIN = frozenset({str, int, bool})
"""Types of most values, which need no other look."""
_SCALARS = (str, int)
_CONTAINERS = (dict, list, tuple)
"""As tuples that are there already: `str | int` would be made anew for each value."""


class _Fault(Exception):
    """What is wrong with a value, and on the way up, where it is."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path = ""


def json_text(value: object, name: str) -> str:
    """The value, which is called `name`, as JSON text; tuples become lists.

    Raises ValueError with one sentence for what JSON can't hold as it stands (bytes, sets, dates, NaN, keys that are no
    strings, half a surrogate pair, what contains itself); it says where, and never repeats a value.
    """
    try:
        _check(value, MAX_DEPTH)
        text = _as_text(value)
        text.encode()
    except _Fault as fault:
        raise ValueError(f"`{name}{fault.path[:100]}` {fault.what}.") from None
    except UnicodeEncodeError:
        raise ValueError(f"`{name}` has half a surrogate pair in a string, which is no text.") from None
    except ValueError:
        raise ValueError(f"`{name}` has a number of too many digits.") from None
    return text


def _check(value: object, depth: int) -> None:
    if type(value) in _PLAIN or value is None or isinstance(value, _SCALARS):
        return
    if isinstance(value, float):
        if not isfinite(value):
            raise _Fault("is not a finite number, so JSON can't hold it")
    elif isinstance(value, _CONTAINERS):
        _check_items(value, depth)
    else:
        raise _Fault(f"is of the type {type(value).__name__}, which JSON can't hold")


def _check_items(value: dict[object, object] | list[object] | tuple[object, ...], depth: int) -> None:
    if not depth:
        raise _Fault(f"lies more than {MAX_DEPTH} deep, or contains itself")
    key: object
    is_object = isinstance(value, dict)
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if is_object and not isinstance(key, str):
            raise _Fault(f"has a key of the type {type(key).__name__}; the keys of JSON are strings")
        if type(item) in _PLAIN:  # as `_check` finds too: a call for each value would take as long as the encoding
            continue
        try:
            _check(item, depth - 1)
        except _Fault as fault:
            fault.path = f"{_step(key)}{fault.path}"
            raise


def _step(key: object) -> str:
    """A position, or a name that is fit to be shown."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if isinstance(key, str) and key.isidentifier() and len(key) < 50 else "[…]"
