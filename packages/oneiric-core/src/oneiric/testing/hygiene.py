"""What a plugin declares, and what its settings are like: all that a listing shows before anything is used."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from oneiric.adapters.base import Adapter
from oneiric.discovery import discover
from oneiric.masking import is_secret
from oneiric.testing.drivers import drivers_of, imported_by
from oneiric.testing.guard import skip
from oneiric.testing.rerouting import targets_of
from oneiric.testing.under_test import AdapterUnderTest
from oneiric.validation import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.spec import AdapterSpec

_SECRET = re.compile(
    r"(^|_)(password|passwd|passphrase|pwd|secret|token|credentials?|(api|access|auth|private|secret|account)_?key)$"
)
"""Names of settings that hold a secret. What ends otherwise is about one: `password_file`, `token_url`, `secret_name`."""


class HygieneTests(AdapterUnderTest):
    """What holds of a plugin and its settings."""

    def test_importing_the_plugin_and_its_settings_imports_no_driver(self, spec: AdapterSpec) -> None:
        """A listing of everything that is installed imports every plugin: with their drivers it would take seconds."""
        plugins = [plugin.target.partition(":")[0] for plugin in discover().plugins if spec.name in plugin.adapters]
        modules = imported_by(*plugins, spec.settings.__module__)
        drivers = drivers_of(spec.distribution) if spec.distribution else frozenset()
        found = sorted(drivers & {module.partition(".")[0] for module in modules})
        assert found == [], f"Importing {' and '.join(plugins) or spec.settings.__module__} imports {', '.join(found)}."
        adapter = spec.adapter.partition(":")[0]
        is_apart = plugins and adapter not in {*plugins, spec.settings.__module__}
        assert not (is_apart and adapter in modules), f"The plugin imports `{adapter}`; a listing is to do without it."

    def test_the_example_config_is_valid(self, spec: AdapterSpec) -> None:
        """Whoever copies it has a config that works."""
        _, problems = check(spec.settings, dict(spec.example))
        assert not problems, f"The spec's example doesn't validate: {'; '.join(map(str, problems))}."

    def test_every_setting_has_a_description(self, spec: AdapterSpec) -> None:
        """`oneiric info`, the MCP server and the docs show it."""
        bare = [path for path, field in _fields(spec.settings) if not (field.description or "").strip()]
        assert bare == [], f"Settings without a docstring or description: {', '.join(bare)}."

    def test_secrets_are_of_a_secret_type(self, spec: AdapterSpec) -> None:
        """`SecretStr` is masked wherever settings are shown; a plain string is not."""
        plain = [
            path
            for path, field in _fields(spec.settings)
            if _SECRET.search(path.rpartition(".")[2].lower())
            and _holds_text(field.annotation)
            and not is_secret(field.annotation)
        ]
        assert plain == [], f"Settings that hold a secret, by their name, and are no SecretStr: {', '.join(plain)}."

    def test_the_settings_of_a_config_show_no_password(self, spec: AdapterSpec, config: Mapping[str, Any]) -> None:
        """Their `repr` is what ends up in logs and tracebacks."""
        word = "hunter2-conformance"
        urls = {name: _with_password(value, word) for name, value in config.items() if isinstance(value, str)}
        settings, _ = check(spec.settings, {**config, **{name: url for name, url in urls.items() if url}})
        assert word not in repr(settings), (
            "The repr of the settings shows the password of a URL: keep AdapterSettings' own."
        )

    def test_the_capabilities_are_constants_of_the_contract(self, spec: AdapterSpec) -> None:
        """A capability that nobody else has a word for, nobody can ask for."""
        constants = _constants(self.contract)
        unknown = sorted(spec.capabilities - set(constants)) if constants else []
        assert unknown == [], (
            f"Not a capability of {spec.type}: {', '.join(unknown)}. There are {', '.join(constants)}."
        )

    def test_what_the_settings_lack_is_declared(self, spec: AdapterSpec, config: Mapping[str, Any]) -> None:
        """`lacks()` takes away of what the spec declares."""
        lacking = spec.settings.model_validate(dict(config)).lacks()
        assert lacking <= spec.capabilities, (
            f"lacks() names {sorted(lacking - spec.capabilities)}, which isn't declared."
        )

    def test_the_class_fulfils_the_contract_of_its_type(self, spec: AdapterSpec) -> None:
        """An application that asks for a type gets its methods."""
        adapter = spec.load()
        assert issubclass(adapter, self.contract), (
            f"{spec.name} is declared as of type {spec.type}, and {adapter.__name__} is no {self.contract.__name__}."
        )
        missing = sorted(adapter.__abstractmethods__)
        assert missing == [], f"{adapter.__name__} has no {', '.join(missing)}."

    def test_the_class_takes_the_settings_that_the_spec_declares(self, spec: AdapterSpec) -> None:
        """What validates a config and what uses it are one class."""
        adapter: type[Adapter] = spec.load()
        assert adapter.settings_class is spec.settings, (
            f"The spec declares {spec.settings.__name__}, and {adapter.__name__} takes {adapter.settings_class.__name__}."
        )

    def test_the_settings_say_what_they_would_reach(self, spec: AdapterSpec, config: Mapping[str, Any]) -> None:
        """`targets()` lets a connection test go by stages, and refuse what must not be reached."""
        if targets_of(spec.settings, config) is None:
            skip("the settings don't say what they would reach: give them a targets()")


def _fields(model: type[BaseModel], within: tuple[type, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each field by its path, those of models in it too."""
    for name, field in model.model_fields.items():
        yield name, field
        for inner in _models(field.annotation):
            if inner not in (*within, model):
                yield from ((f"{name}.{path}", deep) for path, deep in _fields(inner, (*within, model)))


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _holds_text(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, str | bytes):
        return True
    return any(_holds_text(inner) for inner in get_args(annotation))


def _with_password(url: str, word: str) -> str | None:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://user:{word}@{rest.rpartition('@')[2]}" if separator else None


def _constants(contract: type) -> list[str]:
    """The capabilities of a contract: the text constants of its module, in capitals."""
    if contract is Adapter:
        return []
    constants = vars(sys.modules[contract.__module__]).items()
    return sorted(value for name, value in constants if name.isupper() and isinstance(value, str))
