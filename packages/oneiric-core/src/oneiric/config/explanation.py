"""Why a setting has the value it has: each value of an instance with the layer and the place that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from oneiric.config.layers import LayerName, Source
from oneiric.config.references import is_reference
from oneiric.masking import MASK, is_secret, masked
from oneiric.validation import shape_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from oneiric.config.layers import Path
    from oneiric.config.store import Instance

_ADAPTER = Source(LayerName.DEFAULT)


@dataclass(frozen=True, slots=True)
class ExplainedValue:
    """A value that takes effect, and where it comes from."""

    key: str
    """`pool.size`"""
    value: Any
    """As it may be shown: secrets and the passwords of URLs are masked, references stand as they are."""
    layer: LayerName
    location: str | None
    """The file and line, or the variable's name; None for a default and an override."""


@dataclass(frozen=True, slots=True)
class ConfiguredValue:
    """A value of an instance as it is, for comparing, and as it may be shown."""

    path: Path
    value: Any = field(repr=False)
    shown: Any
    is_open: bool
    """Whether it is a setting that is no secret."""

    @property
    def key(self) -> str:
        """`pool.size`"""
        return _key(self.path)


def explain(instance: Instance, settings: type[BaseModel]) -> list[ExplainedValue]:
    """Every value of an instance, `adapter` first, then the settings in the class's order, then keys that it hasn't.

    The value of a key that is no setting is masked: it may be a misspelled password.
    """
    adapter = instance.sources.get(("adapter",), _ADAPTER)
    explained = [ExplainedValue("adapter", instance.adapter, adapter.layer, adapter.location)]
    for path, value, is_open in _values(settings, instance.values, ()):
        source = _source(path, instance.sources)
        explained.append(ExplainedValue(_key(path), _shown(value, is_open=is_open), source.layer, source.location))
    return explained


def configured(settings: type[BaseModel] | None, values: Mapping[str, Any]) -> Iterator[ConfiguredValue]:
    """Each value that is given, not the defaults. Where the settings class isn't known, whatever may be a secret is masked."""
    for path, value, is_open in _values(settings, values, ()):
        if _is_given(path, values):
            yield ConfiguredValue(path, value, _shown(value, is_open=is_open), is_open=is_open)


def _shown(value: Any, *, is_open: bool) -> Any:
    may_be = is_open or is_reference(value) or value in (None, {}, [])
    return masked(value) if may_be and shape_problem({"value": value}) is None else MASK


def _key(path: Path) -> str:
    return ".".join(map(str, path))  # a number is a key too, to YAML


def _is_given(path: Path, values: Any) -> bool:
    for key in path:
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return True


def _values(model: type[BaseModel] | None, values: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any, bool]]:
    """Each value with its path and whether it may be shown."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
    for key, info in fields.items():
        inner = (*path, key)
        nested = _model_of(info)
        if nested is not None and (key not in values or _is_branch(values[key])):
            yield from _values(nested, values.get(key) or {}, inner)
        elif key in values:
            yield inner, values[key], not is_secret(info.annotation)
        elif not info.is_required():
            yield (
                inner,
                info.get_default(call_default_factory=True, validated_data={}),
                not is_secret(info.annotation),
            )
    for key, value in values.items():
        if key not in fields:
            yield (*path, key), value, False


def _is_branch(value: object) -> bool:
    return isinstance(value, dict) and not is_reference(value)


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds, `Pool` or `Pool | None`."""
    options = [option for option in get_args(field.annotation) or (field.annotation,) if option is not type(None)]
    is_union = get_origin(field.annotation) in (None, Union, UnionType)
    is_model = len(options) == 1 and isinstance(options[0], type) and issubclass(options[0], BaseModel)
    return options[0] if is_union and is_model else None


def _source(path: Path, sources: Mapping[Path, Source]) -> Source:
    """Of the value itself, or of the first inside it, where it is a mapping that is shown as one."""
    inside = (source for other, source in sources.items() if other[: len(path)] == path)
    return sources.get(path) or next(inside, Source(LayerName.DEFAULT))
