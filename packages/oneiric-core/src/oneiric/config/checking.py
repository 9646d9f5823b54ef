"""Checking settings that hold references: what can be said without resolving any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oneiric.config.references import is_reference, reference_problem
from oneiric.validation import MAX_DEPTH, Problem, check, path_of, shape_problem

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
    unfit = shape_problem(values) if isinstance(values, Mapping) else None
    if unfit:  # with aliases a small file can hold what nobody could walk to its end
        return (unfit,)
    found = dict(references_in(values))
    wrong = [
        Problem(path_of(location), f"`{path_of(location)}`: {problem}")
        for location, reference in found.items()
        if (problem := reference_problem(reference, schemes))
    ]
    _, problems = check(settings, _without_references(values), not_known=found.keys())
    return (*problems, *wrong)


def references_in(value: object, location: Location = ()) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    """Every reference in the values of an instance, whose shape has been checked, with the keys that lead to it."""
    if len(location) > MAX_DEPTH:  # checked, and said, by `check`
        return
    if isinstance(value, Mapping) and is_reference(value) and location:
        yield location, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references_in(item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references_in(item, (*location, index))


def _without_references(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        return value
    if depth and is_reference(value):
        return _STAND_IN
    if isinstance(value, Mapping):
        return {key: _without_references(item, depth + 1) for key, item in value.items()}
    return [_without_references(item, depth + 1) for item in value] if isinstance(value, list) else value
