"""AdapterSpec: what a plugin may declare."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterSettings, AdapterSpec, AdapterUnavailable, InvalidSpec
from pydantic import ImportString, create_model

if TYPE_CHECKING:
    from conftest import Site


def spec(**changes: Any) -> AdapterSpec:
    values = {"name": "nova", "type": "database", "summary": "A database.", "adapter": "nova.adapter:Nova"} | changes
    return AdapterSpec(values.pop("name"), **values)


def test_what_is_right_is_taken():
    made = spec(
        name="a-b2", type="my-type", capabilities=["x", "y"], docs_url="https://a.b/c", example={"a": [1, None]}
    )
    assert made.capabilities == frozenset({"x", "y"})
    assert made.settings is AdapterSettings


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *(
            ({"name": name}, "name is not kebab-case")
            for name in ("", "Nova", "a_b", "a--b", "-a", "a-", "1a", "ä", 5, None)
        ),
        *(({"name": name}, "name is not kebab-case") for name in ("a\n", "a b", "a.b")),
        *(({"type": kind}, "type is not kebab-case") for kind in ("", "Database", "a_b", None)),
        *(({"summary": text}, "summary is not a sentence") for text in ("", " x", "two\nlines", 5)),
        *(
            ({"adapter": path}, "adapter is not `module:Class`")
            for path in ("", "nova", "nova:", ":Nova", "nova:a.b", "a..b:C", "a b:C", "nova/x:C", int)
        ),
        *(({"settings": it}, "settings is not a subclass") for it in (dict, None, AdapterSettings(), "x")),
        *(
            ({"capabilities": it}, "capabilities is not a set of strings")
            for it in ("abc", [1], None, (c for c in "ab"))
        ),
        *(
            ({"docs_url": url}, "docs_url is not a URL")
            for url in ("", "ftp://a", "javascript:alert(1)", "https://a b", 5)
        ),
        *(
            ({"example": it}, "example is not a mapping of JSON values")
            for it in (None, [], {1: 2}, {"a": object()}, {"a": {1, 2}}, {"a": float("nan")}, {"a": b""})
        ),
    ],
)
def test_each_field_is_checked(changes: dict[str, Any], reason: str):
    with pytest.raises(InvalidSpec) as caught:
        spec(**changes)
    assert reason in str(caught.value)
    assert str(caught.value).count(";") == 0


def test_every_invalid_field_is_told_at_once():
    with pytest.raises(InvalidSpec) as caught:
        AdapterSpec("N", type="", summary="", adapter="", settings=int, capabilities="", docs_url="", example=None)  # type: ignore[arg-type]
    assert str(caught.value).count(";") == 7


def test_an_example_that_holds_itself_is_invalid():
    example: dict[str, Any] = {}
    example["a"] = example
    with pytest.raises(InvalidSpec, match="example"):
        spec(example=example)


def test_a_spec_is_frozen_and_hashable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec().name = "x"  # type: ignore[misc]
    assert len({spec(example={"a": 1}), spec(example={"a": 1})}) == 1


def test_load_imports_the_class(site: Site):
    site.install_adapter("nova")
    assert spec(adapter="nova_adapter:Adapter").load().__name__ == "Adapter"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (None, "ModuleNotFoundError"),
        ("", "AttributeError"),
        ("import no_such_driver", "ModuleNotFoundError: No module named 'no_such_driver'"),
        ("raise RuntimeError('no')", "RuntimeError: no"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("class Panic(BaseException): pass\nraise Panic('rust')", "Panic: rust"),
        ("def (", "SyntaxError"),
        ("Nova = 5", "not a subclass"),
        ("class Nova: pass", "not a subclass"),
    ],
)
def test_an_adapter_that_does_not_load_is_unavailable_with_the_command_that_mends_it(
    site: Site, source: str | None, reason: str
):
    if source is not None:
        site.write({"broken_adapter.py": source})
    with pytest.raises(AdapterUnavailable) as caught:
        spec(adapter="broken_adapter:Nova", distribution="oneiric-nova").load()
    assert reason in caught.value.message
    assert caught.value.adapter == "nova"
    assert caught.value.hint == "Run: pip install --force-reinstall oneiric-nova"


def test_ctrl_c_while_an_adapter_is_imported_is_no_error_of_the_adapter(site: Site):
    site.write({"slow_adapter.py": "raise KeyboardInterrupt"})
    with pytest.raises(KeyboardInterrupt):
        spec(adapter="slow_adapter:Nova").load()


class Deeper(AdapterSettings):
    codecs: dict[str, list[ImportString[Any] | None]] = {}


@pytest.mark.parametrize(
    "annotation", [ImportString, ImportString[Any] | None, list[ImportString], Deeper, list[Deeper]]
)
def test_settings_that_would_import_what_a_config_names_are_refused(annotation: Any):
    settings = create_model("Importing", __base__=AdapterSettings, codec=(annotation, ...))
    with pytest.raises(InvalidSpec, match="a config could name code to import"):
        AdapterSpec("nova", type="database", summary="A.", adapter="a:B", settings=settings)


def test_settings_may_hold_themselves():
    AdapterSpec("nova", type="database", summary="A.", adapter="a:B", settings=Recursive)


class Recursive(AdapterSettings):
    inner: Recursive | None = None
