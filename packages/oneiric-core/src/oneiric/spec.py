"""What a plugin declares of an adapter, without importing it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ImportString

from oneiric.adapters.base import Adapter, AdapterSettings
from oneiric.errors import AdapterUnavailable, InvalidSpec

if TYPE_CHECKING:
    import builtins

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SENTENCE = re.compile(r"\S[^\n]*")
_URL = re.compile(r"https?://\S+")
_CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class AdapterSpec:
    """One adapter, as its plugin declares it from `oneiric_adapters()`.

    Raises InvalidSpec with everything that is wrong. `distribution` and `version` are filled in by discovery.
    """

    name: str
    """Unique among all installed adapters; kebab-case: `redis-streams`."""
    _: KW_ONLY
    type: str
    """`database`, `vector`, `queue`, `messaging`, or a type of one's own, in kebab-case."""
    summary: str
    """One sentence for a list."""
    adapter: str
    """`module:Class`; the module is imported when the adapter is used, not before."""
    settings: builtins.type[AdapterSettings] = AdapterSettings
    """The settings class; its module imports no driver."""
    capabilities: frozenset[str] = frozenset()
    """Named constants of the type's contract that this adapter fulfils, less what its settings say that it `lacks()`."""
    docs_url: str | None = None
    example: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """A config that validates and works on a laptop with nothing installed but wheels."""
    conformance: str | None = None
    """`module:Class` of the suite that holds this adapter to its contract, imported by `oneiric conformance` alone. None: the
    kit's suite of the type, with `example` as the config."""
    demo_worker: str | None = None
    """`module:function` of a task queue, imported by `oneiric demo` alone: given the adapter, an async context manager, in
    whose block a process works on the queue `oneiric-demo`. It gives the names of its tasks: `count` (the words of a text),
    `fail`, and `hold` (until the file is there whose path it is given)."""
    distribution: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        wrong = list(self._wrong())
        if wrong:
            raise InvalidSpec(f"The AdapterSpec {str(self.name)[:100]!r} is invalid: {'; '.join(wrong)}.")
        object.__setattr__(self, "capabilities", frozenset(self.capabilities))

    def _wrong(self) -> list[str]:
        """Everything that is wrong, each as half a sentence. The types are only what the plugin's author claims."""
        claims = {
            "name is not kebab-case (like `redis-streams`)": _matches(_KEBAB, self.name),
            "type is not kebab-case (like `database`)": _matches(_KEBAB, self.type),
            "summary is not a sentence": _matches(_SENTENCE, self.summary),
            "adapter is not `module:Class`": _matches(_CLASS_PATH, self.adapter),
            "settings is not a subclass of AdapterSettings": _is_settings_class(self.settings),
            "settings has an ImportString, by which a config could name code to import": not _imports(self.settings),
            "capabilities is not a set of strings": _all_strings(self.capabilities),
            "docs_url is not a URL": self.docs_url is None or _matches(_URL, self.docs_url),
            "conformance is not `module:Class`": self.conformance is None or _matches(_CLASS_PATH, self.conformance),
            "demo_worker is not `module:function`": self.demo_worker is None or _matches(_CLASS_PATH, self.demo_worker),
            "example is not a mapping of JSON values": _is_json_object(self.example),
        }
        return [claim for claim, holds in claims.items() if not holds]

    def load(self) -> builtins.type[Adapter]:
        """Import the adapter's class, and with it its driver.

        Raises AdapterUnavailable, with the command that mends it, where anything on the way can't be imported.
        """
        module_name, _, class_name = self.adapter.partition(":")
        try:
            adapter_class = getattr(import_module(module_name), class_name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self.unavailable(f"`{self.adapter}` can't be imported: {type(error).__name__}: {error}") from error
        if not (isinstance(adapter_class, type) and issubclass(adapter_class, Adapter)):
            raise self.unavailable(f"`{self.adapter}` is not a subclass of oneiric.adapters.base.Adapter.")
        return adapter_class

    def unavailable(self, reason: str, hint: str | None = None) -> AdapterUnavailable:
        """The error that says why this adapter can't be used, with a pip command unless a better hint is given."""
        mend = f"Run: pip install --force-reinstall {self.distribution}" if self.distribution else None
        return AdapterUnavailable(reason, adapter=self.name, hint=hint or mend)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and pattern.fullmatch(value) is not None


def _is_settings_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, AdapterSettings)


def _imports(annotation: object, seen: frozenset[object] = frozenset()) -> bool:
    """Whether a value of this annotation is imported when it is validated: a config may come over the wire."""
    if annotation is ImportString or type(annotation) is ImportString:
        return True
    inner: list[object] = [*get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
        seen |= {annotation}
        inner += [part for field in annotation.model_fields.values() for part in (field.annotation, *field.metadata)]
    return any(_imports(part, seen) for part in inner)


def _all_strings(values: object) -> bool:
    if isinstance(values, str) or not isinstance(values, Collection):
        return False
    return all(isinstance(value, str) and value.isprintable() for value in values)


def _is_json_object(value: object) -> bool:
    if not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        return False
    try:
        json.dumps(dict(value), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
