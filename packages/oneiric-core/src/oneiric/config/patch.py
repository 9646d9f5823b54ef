"""Changes of an instance as a JSON Merge Patch (RFC 7396), applied to plain data.

The keys that are given are set, mappings merge, and None removes a key, so that the layer below or the default applies
again. A reference is a leaf: it replaces, and is replaced, as a whole.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from oneiric.config.references import is_reference
from oneiric.errors import ConfigError
from oneiric.masking import MASK
from oneiric.validation import Location, path_of, shape_problem

_LEAVES = (str, int, float, bool, datetime.date, datetime.datetime, type(None))
"""What YAML can say of a single value without a tag."""

_MAX_BITS = 1024
"""Of a number; Python itself refuses to write down, or to read, much larger ones."""


def with_instance(content: Mapping[str, Any], name: str, changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a file holds, with an instance changed, made, or (None) removed; what isn't changed stays the same objects.

    Raises ConfigError for changes that can't be written.
    """
    adapters = content.get("adapters")
    instances = dict(adapters or {})
    if changes is None:
        instances.pop(name, None)
    else:
        values = _merged(instances.get(name), _checked(name, changes))  # an instance is no reference, whatever its key
        if values or instances.get(name, values) is not None:  # `orders:` says as much as `orders: {}`
            instances[name] = values
    return {**content, "adapters": instances} if instances or adapters else dict(content)


def _patched(target: object, patch: Any) -> Any:
    """The merge patch of RFC 7396, for which a reference is a leaf."""
    if not isinstance(patch, dict) or is_reference(patch):
        return patch
    return _merged({} if is_reference(target) else target, patch)


def _merged(target: object, patch: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _patched(result.get(key), value)
    return result


def _checked(name: str, changes: Mapping[str, Any]) -> Any:
    """The changes as dicts and lists. Raises ConfigError, which repeats no value, for what can't or must not be written."""
    if not name.isprintable() or not name.strip() or len(name) > 100:
        raise ConfigError("An instance's name is printable text of at most 100 characters.")
    if not isinstance(changes, Mapping):
        raise ConfigError(f"The changes of `{name}` should be a mapping of settings.", adapter=name)
    problem = shape_problem({"": changes})
    if problem:
        raise ConfigError(f"These changes of `{name}` can't be written: {problem}", adapter=name)
    return _plain(name, changes, ())


def _plain(name: str, value: Any, location: Location) -> Any:
    if isinstance(value, Mapping):
        return {_plain(name, key, location): _plain(name, item, (*location, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(name, item, (*location, index)) for index, item in enumerate(value)]
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ConfigError(f"`{path_of(location)}` is too large a number.", adapter=name)
    if type(value) not in _LEAVES:
        raise ConfigError(f"`{path_of(location)}`: YAML has no {type(value).__name__}.", adapter=name)
    if isinstance(value, str) and MASK in value:
        sentence = f"`{path_of(location)}` holds what is shown in place of a secret."
        raise ConfigError(sentence, adapter=name, hint="Leave the key out to keep what is there.")
    return value


def same(one: object, other: object) -> bool:
    """Whether two contents are equal in types and in the order of keys too. What aliases share is compared once."""
    seen, waiting = set[tuple[int, int]](), [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if left is right or (id(left), id(right)) in seen:
            continue
        seen.add((id(left), id(right)))
        if type(left) is not type(right):
            return False
        if isinstance(left, dict) and isinstance(right, dict):
            if [(type(key), key) for key in left] != [(type(key), key) for key in right]:
                return False
            waiting += zip(left.values(), right.values(), strict=True)
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            waiting += zip(left, right, strict=True)
        elif left != right and repr(left) != repr(right):  # not a number is not equal to itself
            return False
    return True
