"""Checking settings that hold references: what can be said without resolving any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oneiric.config.references import is_reference, reference_problem
from oneiric.validation import MAX_DEPTH, Problem, check, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.adapters.base import AdapterSettings
    from oneiric.config.references import Resolver
    from oneiric.validation import Location

_STAND_IN = "reference"
"""What stands for a secret while the rest is checked: any text, as most references stand where text is wanted."""


def problems_of(
    settings: type[AdapterSettings], values: object, schemes: Mapping[str, Resolver]
) -> tuple[Problem, ...]:
    """Everything that is wrong with the values. References are looked at and not resolved: no file or variable is read."""
    found = dict(_references(values))
    wrong = [
        Problem(path_of(location), f"`{path_of(location)}`: {problem}")
        for location, reference in found.items()
        if (problem := reference_problem(reference, schemes))
    ]
    _, problems = check(settings, _without_references(values), not_known=found.keys())
    return (*problems, *wrong)


def _references(value: object, location: Location = ()) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    if len(location) > MAX_DEPTH:  # checked, and said, by `check`
        return
    if isinstance(value, Mapping) and is_reference(value) and location:
        yield location, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _references(item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, (*location, index))


def _without_references(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        return value
    if depth and is_reference(value):
        return _STAND_IN
    if isinstance(value, Mapping):
        return {key: _without_references(item, depth + 1) for key, item in value.items()}
    return [_without_references(item, depth + 1) for item in value] if isinstance(value, list) else value
