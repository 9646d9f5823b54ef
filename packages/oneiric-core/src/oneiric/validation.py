"""From a pydantic model and some data to a list of plain sentences: what is wrong, where, and the nearest right key.

The data may come from anybody, so its size, depth and keys are checked before pydantic sees it, and no message ever
repeats a value: a misspelled key's value may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core.core_schema import ErrorType

from oneiric.masking import is_secret
from oneiric.own_words import without_values

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

MAX_DEPTH = 32
"""How deep a config may be nested."""

MAX_SIZE = 256 * 1024
"""How many characters the keys and strings of a config may have together; each further value counts as one."""

MAX_PROBLEMS = 100
"""How many problems of one config are told; a sentence says how many more there are."""

_PYDANTICS_OWN = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"}
"""The errors whose sentence pydantic writes; that of any other is its settings class's, and may quote the value."""

_UNQUOTED = {
    "bytes_invalid_encoding": "should be bytes in the right encoding.",
    "datetime_object_invalid": "should be a valid date and time.",
    "get_attribute_error": "can't be read.",
    "import_error": "should be something that can be imported.",
    "iteration_error": "can't be read to its end.",
    "mapping_type": "should be a valid mapping.",
    "timezone_offset": "has another time zone than it should.",
    "uuid_parsing": "should be a valid UUID.",
}
"""Our sentence in place of those of pydantic's own that quote the value, or a part of it."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")

Location = tuple[int | str, ...]
"""The keys and indexes that lead to a value."""

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


def check(
    model: type[ModelT], config: object, *, not_known: Collection[Location] = ()
) -> tuple[ModelT | None, tuple[Problem, ...]]:
    """Validate `config` (a mapping, or None for an empty one) as `model`.

    Returns the model's object and no problems, or None and every problem at once. `not_known` has the locations of values
    that stand for others, which aren't known yet: what is wrong with these, or may only be wrong because of them, is no
    problem.
    """
    if config is None:
        config = {}
    if not isinstance(config, Mapping):
        return None, (Problem("", f"A config is a mapping of settings, not {_type_name(config)}."),)
    problem = shape_problem(config)
    if problem:
        return None, (problem,)
    try:
        return model.model_validate(dict(config)), ()
    except ValidationError as error:
        return None, _problems(model, error, not_known)
    except RecursionError:
        return None, (Problem("", "The config is nested too deeply to be read."),)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a third party's validator may raise anything, SystemExit included
        if not_known:
            return None, ()
        reason = f"{model.__name__} can't check this config: its own code raised {type(error).__name__}."
        return None, (Problem("", reason),)


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


def shape_problem(config: Mapping[Any, Any]) -> Problem | None:
    """What makes this config unfit to be looked at more closely; walked without recursion, and not past the limits."""
    size = 0
    waiting: list[Iterator[tuple[object, object]]] = [iter(config.items())]
    while waiting:
        item = next(waiting[-1], None)
        if item is None:
            waiting.pop()
            continue
        key, value = item
        problem = _key_problem(key)
        if problem:
            return Problem("", problem)
        if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
            return Problem("", "A value holds half a character: it is not Unicode text.")
        size += 1 + sum(len(part) for part in item if isinstance(part, str | bytes))
        if size > MAX_SIZE:
            return Problem("", f"The config is too large: it may hold {MAX_SIZE // 1024} KiB of text.")
        children = _children(value)
        if children is not None:
            if len(waiting) >= MAX_DEPTH:
                return Problem("", f"The config is nested more than {MAX_DEPTH} levels deep.")
            waiting.append(children)
    return None


def _key_problem(key: object) -> str | None:
    """Why this can't be a key; an integer may be one where a setting is a mapping from integers."""
    if isinstance(key, str):
        return None if key.isprintable() else "A key holds a NUL or another character that can't be printed."
    is_small = isinstance(key, int) and key.bit_length() <= 64
    return None if is_small else f"A key of a config is a string, not {_type_name(key)}."


def _children(value: object) -> Iterator[tuple[object, object]] | None:
    if isinstance(value, Mapping):
        return iter(value.items())
    return iter(enumerate(value)) if isinstance(value, list | tuple) else None


def _problems(model: type[BaseModel], error: ValidationError, not_known: Collection[Location]) -> tuple[Problem, ...]:
    details = [detail for detail in error.errors(include_url=False) if _is_told(detail, not_known)]
    told = tuple(_problem(model, detail) for detail in details[:MAX_PROBLEMS])
    more = len(details) - len(told)
    return (*told, Problem("", f"{more} more are wrong.")) if more else told


def _is_told(detail: ErrorDetails, not_known: Collection[Location]) -> bool:
    """Whether it is a problem of what is known. A misspelled key is; of the whole, nobody can say."""
    location = detail["loc"]
    if not not_known or detail["type"] == "extra_forbidden":
        return True
    return bool(location) and not any(location[: len(other)] == other for other in not_known)


def _problem(model: type[BaseModel], detail: ErrorDetails) -> Problem:
    location = detail["loc"]
    path = path_of(location)
    if detail["type"] == "extra_forbidden":
        siblings = _fields_at(model, location[:-1])
        suggestion = next(iter(nearest(str(location[-1]), siblings)), None)
        known = f" The settings are {', '.join(f'`{name}`' for name in siblings)}." if siblings else ""
        return Problem(path, f"`{path}` is not a setting." + ("" if suggestion else known), suggestion)
    if detail["type"] == "missing":
        return Problem(path, f"`{path}` is required.")
    reason = _reason(model, detail)
    sentence = reason if reason.endswith((".", "!", "?")) else f"{reason}."
    return Problem(path, f"`{path}`: {_uncapitalised(sentence)}" if path else sentence)


def _reason(model: type[BaseModel], detail: ErrorDetails) -> str:
    """What is wrong, without the value."""
    kind = detail["type"]
    if kind == "union_tag_invalid":
        return f"{detail['ctx']['discriminator']} should be one of {detail['ctx']['expected_tags']}."
    if kind in _PYDANTICS_OWN:
        return _UNQUOTED.get(kind, detail["msg"])
    reason = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    given, secrets = list(_texts(detail["input"])), list(_secret_texts(model, detail))
    return without_values(reason, given, secrets, detail.get("ctx", {}).get("error"))


def _secret_texts(model: type[BaseModel], detail: ErrorDetails) -> Iterator[str]:
    """All text of the input in fields that are declared to be secret."""
    location, given = detail["loc"], detail["input"]
    for name, field in _fields(model):
        if is_secret(field.annotation):
            if location:
                yield from _texts(given) if location[0] == name else ()
            elif isinstance(given, Mapping):
                yield from _texts(given.get(name))


def _texts(value: object) -> Iterator[str]:
    """Everything in a value as text. Its shape has been checked, so it is not deep."""
    children = _children(value)
    if children is not None:
        for _, child in children:
            yield from _texts(child)
    elif isinstance(value, bytes):
        yield value.decode(errors="replace")
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _uncapitalised(sentence: str) -> str:
    return sentence if sentence[1:2].isupper() else f"{sentence[:1].lower()}{sentence[1:]}"  # `URL should …` stays


def path_of(location: Location) -> str:
    """A location as it is shown: `pool.size`, `hosts[2].port`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part[:100]}" for part in location)
    return "".join(parts).removeprefix(".")


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """The names of the fields of the model, or of the union's models, that lie at `location` inside `model`."""
    models = [model]
    for part in location:
        fields = [field for candidate in models for name, field in _fields(candidate) if name == part]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
        else:  # An index, a mapping's key, or the name that pydantic gives a union's member.
            models = [candidate for candidate in models if candidate.__name__ == part] or models
    return sorted({name for candidate in models for name, _ in _fields(candidate)})


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that a field holds: itself, in a union, or in a container."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
