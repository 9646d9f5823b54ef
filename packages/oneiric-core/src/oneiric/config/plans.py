"""Plans: what a change of the config file would do, shown before it is done, and done only to the file it was made from."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from oneiric.config.checking import problems_of
from oneiric.config.comparison import PlannedChange, Side, differences, exposed, shown, warnings_of
from oneiric.config.editing import edited
from oneiric.config.history import History, real_path
from oneiric.config.patch import same, with_instance
from oneiric.config.positions import CantEdit
from oneiric.config.references import schemes_of
from oneiric.config.store import ConfigStore, spec_of
from oneiric.config.writing import Replacement, read_current, replace
from oneiric.config.yaml_file import FILE_NAME, MAX_FILE_SIZE, find_file, parse
from oneiric.errors import ConfigError, UnknownAdapter
from oneiric.validation import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oneiric.config.history import Version
    from oneiric.config.store import Instance
    from oneiric.config.yaml_file import YamlFile
    from oneiric.discovery import Catalog


@dataclass(frozen=True)
class ConfigPlan:
    """A change of the config file that has not been made. What can be shown of it holds no secret."""

    path: Path
    instance: str | None
    """The instance that is changed; None where the whole file goes back to an earlier version."""
    changes: tuple[PlannedChange, ...]
    warnings: tuple[str, ...]
    """What the change will not do, or should not, each as a sentence."""
    hash: str
    """Tells this change of this file from any other: the same again where it is planned again, in any process."""
    replacement: Replacement = field(repr=False)
    """The file before and after, secrets included: not for showing."""

    @property
    def changes_something(self) -> bool:
        """Whether the file will be another than it is."""
        return self.replacement.before != self.replacement.after


def plan_change(
    name: str,
    changes: Mapping[str, Any] | None,
    catalog: Catalog,
    *,
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ConfigPlan:
    """Plan a change of one instance in the file; nothing is written.

    `changes` is a JSON Merge Patch: keys are set, mappings merge, None removes a key, None for the whole removes the
    instance; a reference is set as a whole. An instance that isn't there is made, and so is the file. Raises ConfigError,
    with every problem, where the instance would be wrong with all layers merged, or the file can't be edited.
    """
    found, before = _current(path, environ)
    old = _Moment.of(parse(found, before or b""), environ)
    if not isinstance(old.file.content.get("adapters", {}), dict | None):
        raise ConfigError(f"{found}: `adapters` should be a mapping of instances to their settings.")
    file = _edited(old.file, with_instance(old.file.content, name, changes), name)
    if changes is None:
        new = _Moment.of(file, environ)
    else:
        new = _Moment(file, ConfigStore.from_file(file, environ=environ))
        _check(new, name, catalog)
    sides = old.side(name, catalog), new.side(name, catalog)
    if shown_now := exposed(*sides):
        raise ConfigError(
            f"`{shown_now[0]}` is a secret, and would be none with this adapter: it would be shown.",
            adapter=name,
            hint="Set or remove it in the same change.",
        )
    changed = differences(*sides)
    warnings = [*_about_the_name(name, old, new), *warnings_of(changed, new.instance(name))]
    after = file.text.encode() if before is not None or file.text else None
    return _plan(found, name, shown(changed, *sides), warnings, before, after)


def plan_rollback(
    catalog: Catalog,
    version: int | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ConfigPlan:
    """Plan to put an earlier version back, the latest where none is named; nothing is written.

    What the file holds now is kept as a version too, so this can be undone likewise. That a config in it is wrong by now
    is a warning. Raises ConfigError where there is no such version.
    """
    found, before = _current(path, environ)
    after = _kept(found, version, before)
    planned, warnings = list[PlannedChange](), list[str]()
    try:
        old, new = (_Moment.of(parse(found, content or b""), environ) for content in (before, after))
        for name in dict.fromkeys((*old.instances, *new.instances)):
            sides = old.side(name, catalog), new.side(name, catalog)
            planned += (change.of(name) for change in shown(differences(*sides), *sides))
        warnings += _wrong(new, catalog, environ)
    except ConfigError as error:
        warnings.append(f"Not everything can be said of this, as a config can't be read: {error}")
    return _plan(found, None, planned, warnings, before, after)


def apply_plan(plan: ConfigPlan, *, timeout: float = 10.0) -> Version | None:
    """Make the change; returns the version that is kept of the old file, None where the plan changes nothing.

    `timeout` (seconds) bounds the wait for another writer. Raises ConfigChanged where the file is no longer what the plan
    was made from, and ConfigError where it can't be written; the file is as it was then.
    """
    return replace(plan.replacement, timeout)


class _Moment(NamedTuple):
    """A config file as it is or will be, and with the layers above it, as far as they can be read."""

    file: YamlFile
    store: ConfigStore | None

    @classmethod
    def of(cls, file: YamlFile, environ: Mapping[str, str]) -> _Moment:
        try:
            return cls(file, ConfigStore.from_file(file, environ=environ))
        except ConfigError:  # it may be what this change mends
            return cls(file, None)

    @property
    def instances(self) -> Mapping[str, Any]:
        instances = self.file.content.get("adapters")
        return instances if isinstance(instances, dict) else {}

    def instance(self, name: str) -> Instance | None:
        return self.store.get(name) if self.store else None

    def side(self, name: str, catalog: Catalog) -> Side:
        instance = self.instance(name)
        settings = catalog[instance.adapter].settings if instance and instance.adapter in catalog else None
        return Side(self.instances.get(name), settings)


def _current(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> tuple[Path, bytes | None]:
    found = find_file(path, environ) or Path(FILE_NAME)
    return found, read_current(found)


def _edited(old: YamlFile, content: dict[str, Any], name: str) -> YamlFile:
    """The file with that content, and what else is in it untouched. Raises ConfigError where that can't be had."""
    if same(old.content, content):
        return old
    line = old.locate(("adapters", name)).rpartition(":")[2]
    try:
        text = edited(old, content)
        if len(text) > MAX_FILE_SIZE:
            raise ConfigError(
                f"{old.path} would be larger than {MAX_FILE_SIZE // 1024} KiB, too large for a config file."
            )
        new = _parsed(old.path, text)
        if new and same(new.content, content):
            return new
    except CantEdit as obstacle:
        line = str(obstacle.line)
    raise ConfigError(
        f"{old.path} line {line} can't be changed without touching more than that: there is an alias, a merge key or "
        "another unusual form.",
        hint="Edit the file by hand.",
    )


def _parsed(path: Path, text: str) -> YamlFile | None:
    try:
        return parse(path, text.encode())
    except ConfigError:  # an alias, say, whose anchor was in what is replaced
        return None


def _check(moment: _Moment, name: str, catalog: Catalog) -> None:
    """Raises ConfigError, with every problem, where an instance is wrong."""
    instance = moment.instance(name)
    assert moment.store is not None
    assert instance is not None
    try:
        spec = spec_of(instance, catalog)
    except UnknownAdapter as error:
        raise ConfigError(error.message, hint=error.hint, adapter=name) from None
    problems = problems_of(spec.settings, instance.values, schemes_of(catalog.hooks, moment.store.variables))
    if problems:
        raise ConfigError(f"With this change the config of `{name}` is wrong.", problems=problems, adapter=name)


def _wrong(moment: _Moment, catalog: Catalog, environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each instance that is wrong."""
    for name in moment.store or ConfigStore.from_file(moment.file, environ=environ):
        try:
            _check(moment, name, catalog)
        except ConfigError as error:
            yield str(error)


def _about_the_name(name: str, old: _Moment, new: _Moment) -> Iterator[str]:
    instance = new.instance(name)
    if same(old.file.content, new.file.content):
        yield "Nothing changes: the file says so already."
    elif name not in new.instances and instance:
        where = next((source.location for source in instance.sources.values()), None)
        yield f"`{name}` is still configured, above the file: {where}."
    elif name not in old.instances:
        near = nearest(name, old.instances)
        yield from (f"`{name}` is a new instance; there is `{other}` already." for other in near)


def _kept(path: Path, number: int | None, current: bytes | None) -> bytes | None:
    """What a version holds; the latest, where none is named, that is not what the file holds now."""
    history = History(real_path(path))
    try:
        versions = history.versions()
        for version in versions:
            content = history.read(version) if number in (None, version.number) else current
            if version.number == number or (number is None and content != current):
                return content
    except OSError as error:
        raise ConfigError(f"The history of {path} can't be read: {error.strerror}.") from error
    if number is None or not versions:
        raise ConfigError(f"No earlier version of {path} is kept.")
    raise ConfigError(
        f"No version {number} of {path} is kept.", hint=f"There are {versions[-1].number} to {versions[0].number}."
    )


def _plan(
    path: Path,
    instance: str | None,
    changes: Iterable[PlannedChange],
    warnings: Iterable[str],
    before: bytes | None,
    after: bytes | None,
) -> ConfigPlan:
    replacement = Replacement(path, before, after)
    return ConfigPlan(path, instance, tuple(changes), tuple(warnings), _hash(replacement), replacement)


def _hash(replacement: Replacement) -> str:
    """Of the file's place, and of what it holds before and after.

    Slow on purpose: a hash is shown, and with a fast one a password in the file could be guessed from it, offline.
    """
    parts = (os.fsencode(replacement.target), replacement.before, replacement.after)
    framed = b"".join(b"-" if part is None else b"%d:%b" % (len(part), part) for part in parts)
    return hashlib.scrypt(framed, salt=b"oneiric.config.plan", n=2**14, r=8, p=1, dklen=16).hex()
