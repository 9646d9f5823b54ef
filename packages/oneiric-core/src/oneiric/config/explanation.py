"""Why a setting has the value it has: each value of an instance with the layer and the place that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from oneiric.config.layers import LayerName, Source
from oneiric.config.references import is_reference
from oneiric.masking import MASK, is_secret, masked
from oneiric.validation import shape_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def explain(instance: Instance, settings: type[BaseModel]) -> list[ExplainedValue]:
    """Every value of an instance, `adapter` first, then the settings in the class's order, then keys that it hasn't.

    The value of a key that is no setting is masked: it may be a misspelled password.
    """
    adapter = instance.sources.get(("adapter",), _ADAPTER)
    explained = [ExplainedValue("adapter", instance.adapter, adapter.layer, adapter.location)]
    for path, value, is_open in _values(settings, instance.values, ()):
        source = _source(path, instance.sources)
        is_shown = (is_open or is_reference(value) or value in (None, {}, [])) and shape_problem(
            {"value": value}
        ) is None
        shown = masked(value) if is_shown else MASK
        explained.append(ExplainedValue(".".join(path), shown, source.layer, source.location))
    return explained


def _values(model: type[BaseModel] | None, values: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any, bool]]:
    """Each value with its path and whether it may be shown."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
    for key, field in fields.items():
        inner = (*path, key)
        nested = _model_of(field)
        if nested is not None and (key not in values or _is_branch(values[key])):
            yield from _values(nested, values.get(key) or {}, inner)
        elif key in values:
            yield inner, values[key], not is_secret(field.annotation)
        elif not field.is_required():
            yield (
                inner,
                field.get_default(call_default_factory=True, validated_data={}),
                not is_secret(field.annotation),
            )
    for key, value in values.items():
        if key not in fields:
            yield (*path, key), value, False


def _is_branch(value: object) -> bool:
    return isinstance(value, dict) and not is_reference(value)


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _source(path: Path, sources: Mapping[Path, Source]) -> Source:
    """Of the value itself, or of the first inside it, where it is a mapping that is shown as one."""
    inside = (source for other, source in sources.items() if other[: len(path)] == path)
    return sources.get(path) or next(inside, Source(LayerName.DEFAULT))
