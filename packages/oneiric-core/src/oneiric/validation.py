"""From a pydantic model and some data to a list of plain sentences: what is wrong, where, and the nearest right key.

The data may come from anybody, so its size, depth and keys are checked before pydantic sees it, and no message ever
repeats a value: a misspelled key's value may be a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_core import ErrorDetails

MAX_DEPTH = 32
"""How deep a config may be nested."""

MAX_SIZE = 256 * 1024
"""How many characters the keys and strings of a config may have together; each further value counts as one."""

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a config."""

    path: str
    """Where: `pool.size`, `hosts[2].port`, or `` for the config as a whole."""
    message: str
    """What, as a sentence that never repeats the value."""
    suggestion: str | None = None
    """The nearest right key, where the key is the problem and one is near."""

    def __str__(self) -> str:
        return self.message + (f" Did you mean `{self.suggestion}`?" if self.suggestion else "")


def check(model: type[ModelT], config: object) -> tuple[ModelT | None, tuple[Problem, ...]]:
    """Validate `config` (a mapping, or None for an empty one) as `model`.

    Returns the model's object and no problems, or None and every problem at once.
    """
    if config is None:
        config = {}
    if not isinstance(config, Mapping):
        return None, (Problem("", f"A config is a mapping of settings, not {_type_name(config)}."),)
    problem = _shape_problem(config)
    if problem:
        return None, (problem,)
    try:
        return model.model_validate(dict(config)), ()
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        return None, tuple(_problem(model, detail) for detail in details)
    except RecursionError:
        return None, (Problem("", "The config is nested too deeply to be read."),)


def nearest(name: str, names: Iterable[str], n: int = 1) -> list[str]:
    """The names most like `name`, the best first; case and the choice of `-` or `_` don't count."""
    by_folded = {_fold(candidate): candidate for candidate in names}
    return [by_folded[match] for match in get_close_matches(_fold(name), by_folded, n=n, cutoff=0.6)]


def _fold(name: str) -> str:
    return name[:200].lower().replace("_", "-")


def _type_name(value: object) -> str:
    return {"NoneType": "null", "str": "a string", "list": "a list", "bool": "a boolean"}.get(
        type(value).__name__, f"a value of type {type(value).__name__}"
    )


def _shape_problem(config: Mapping[Any, Any]) -> Problem | None:
    """What makes this config unfit to be looked at more closely; walked without recursion, and not past the limits."""
    size = 0
    waiting: list[Iterator[tuple[object, object]]] = [iter(config.items())]
    while waiting:
        item = next(waiting[-1], None)
        if item is None:
            waiting.pop()
            continue
        key, value = item
        if not isinstance(key, str | int):
            return Problem("", f"A key of a config is a string, not {_type_name(key)}.")
        if isinstance(key, str) and any(ord(character) < 32 or ord(character) == 127 for character in key):
            return Problem("", "A key holds a NUL or another control character.")
        size += 1 + len(str(key)) + (len(value) if isinstance(value, str | bytes) else 0)
        if size > MAX_SIZE:
            return Problem("", f"The config is too large: it may hold {MAX_SIZE // 1024} KiB of text.")
        children = _children(value)
        if children is not None:
            if len(waiting) >= MAX_DEPTH:
                return Problem("", f"The config is nested more than {MAX_DEPTH} levels deep.")
            waiting.append(children)
    return None


def _children(value: object) -> Iterator[tuple[object, object]] | None:
    if isinstance(value, Mapping):
        return iter(value.items())
    return iter(enumerate(value)) if isinstance(value, list | tuple) else None


def _problem(model: type[BaseModel], detail: ErrorDetails) -> Problem:
    location = detail["loc"]
    path = _path(location)
    if detail["type"] == "extra_forbidden":
        siblings = _fields_at(model, location[:-1])
        suggestion = next(iter(nearest(str(location[-1]), siblings)), None)
        known = f" The settings are {', '.join(f'`{name}`' for name in sorted(siblings))}."
        return Problem(path, f"`{path}` is not a setting." + ("" if suggestion else known), suggestion)
    if detail["type"] == "missing":
        return Problem(path, f"`{path}` is required.")
    reason = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    sentence = reason if reason.endswith((".", "!", "?")) else f"{reason}."
    return Problem(path, f"`{path}`: {sentence[:1].lower()}{sentence[1:]}" if path else sentence)


def _path(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part[:100]}" for part in location)
    return "".join(parts).removeprefix(".")


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The names of the fields of the model that lies at `location` inside `model`; none where there is no such model."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        model = field.annotation
    return [field.alias or name for name, field in model.model_fields.items()]
