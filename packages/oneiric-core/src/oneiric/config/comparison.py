"""What a plan changes, value by value as it may be shown, and what should be known before it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from oneiric.config.explanation import ConfiguredValue, configured
from oneiric.config.layers import LayerName
from oneiric.config.patch import same
from oneiric.config.references import is_reference
from oneiric.masking import MASK, masked
from oneiric.validation import shape_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oneiric.adapters.base import AdapterSettings
    from oneiric.config.layers import Path, Source
    from oneiric.config.store import Instance

_BELOW = (LayerName.DEFAULT, LayerName.FILE)


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One value of the file that a plan changes, as it may be shown: secrets masked, references as they stand."""

    key: str
    """`pool.size`; in a rollback the instance's name comes first. An instance without values is its own change."""
    before: Any
    """None where the file has none."""
    after: Any

    def of(self, instance: str) -> PlannedChange:
        """The same in a plan of several instances."""
        return replace(self, key=f"{instance}.{self.key}".removesuffix("."))


class Difference(NamedTuple):
    """A value in the file before and after; None where there is none."""

    before: ConfiguredValue | None
    after: ConfiguredValue | None

    @property
    def value(self) -> ConfiguredValue:
        """That after the change, or the one that is removed."""
        value = self.after or self.before
        assert value is not None
        return value


class Side(NamedTuple):
    """The values of an instance in the file, and the settings class as far as it is known."""

    values: Any
    settings: type[AdapterSettings] | None


def differences(before: Side, after: Side) -> list[Difference]:
    """Each value that is not the same."""
    old, new = ({value.path: value for value in _values(side)} for side in (before, after))
    paths = dict.fromkeys((*old, *new))
    pairs = (Difference(old.get(path), new.get(path)) for path in paths)
    return [pair for pair in pairs if not (pair.before and pair.after and same(pair.before.value, pair.after.value))]


def shown(found: Iterable[Difference], before: Side, after: Side) -> tuple[PlannedChange, ...]:
    """The differences as they may be shown."""
    changes = tuple(
        PlannedChange(pair.value.key, pair.before and pair.before.shown, pair.after and pair.after.shown)
        for pair in found
    )
    if changes or (before.values is None) is (after.values is None):
        return changes
    return (PlannedChange("", None, {}) if before.values is None else PlannedChange("", {}, None),)


def exposed(before: Side, after: Side) -> list[str]:
    """The keys of secrets in the file that would no longer be masked, as they are no secrets to another adapter."""
    if before.settings is after.settings:
        return []
    secrets = [value for value in _values(before) if not value.is_open]
    return [value.key for value in _values(after) if value.is_open and any(_share(value, other) for other in secrets)]


def _share(one: ConfiguredValue, other: ConfiguredValue) -> bool:
    """Whether two values at one place, or one in the other's, hold the same text."""
    length = min(len(one.path), len(other.path))
    return one.path[:length] == other.path[:length] and not _texts(one.value).isdisjoint(_texts(other.value))


def _texts(value: Any) -> set[str]:
    """The texts in a value, but for references, and for what is too large to be looked into."""
    if isinstance(value, str):
        return {value} if value else set()
    if not isinstance(value, dict | list) or is_reference(value) or shape_problem({"": value}):
        return set()
    return set().union(*map(_texts, value.values() if isinstance(value, dict) else value))


def warnings_of(found: Iterable[Difference], instance: Instance | None) -> Iterator[str]:
    """What the change of an instance, given as it will be, does not do, or should not, each as a sentence."""
    for pair in found:
        value = pair.value
        above = _above(value.path, instance.sources if instance else {})
        if above:
            effect = "is overridden" if pair.after else "keeps a value"
            yield f"`{value.key}` {effect}: {above.location} lies above the file."
        if pair.after and _is_literal_secret(pair.after):
            yield (
                f"`{value.key}` will stand in the file for everybody who may read it; a reference keeps a secret out: "
                "{$env: NAME}."
            )


def _values(side: Side) -> Iterator[ConfiguredValue]:
    values: Mapping[str, Any] = side.values if isinstance(side.values, dict) else {}
    if "adapter" in values:
        adapter = values["adapter"]
        yield ConfiguredValue(("adapter",), adapter, adapter if isinstance(adapter, str) else MASK, is_open=True)
    yield from configured(side.settings, {key: value for key, value in values.items() if key != "adapter"})


def _above(path: Path, sources: Mapping[Path, Source]) -> Source | None:
    """What sets the value, or a part of it, in a layer above the file."""
    return next(
        (
            source
            for other, source in sources.items()
            if source.layer not in _BELOW and (other[: len(path)] == path or path[: len(other)] == other)
        ),
        None,
    )


def _is_literal_secret(value: ConfiguredValue) -> bool:
    if is_reference(value.value) or value.value in (None, "", {}, []):
        return False
    return not value.is_open or masked(value.value) != value.value
