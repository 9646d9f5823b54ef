"""What the command line and the MCP server show."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - pydantic reads it
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterSettings, AdapterSpec, Catalog, ConfigStore
from oneiric.inspection import describe, summarise, validate
from pydantic import SecretStr

if TYPE_CHECKING:
    from conftest import Site


class Settings(AdapterSettings):
    path: str
    """Where it is."""
    password: SecretStr = SecretStr("hunter2")


class Unschemable(AdapterSettings):
    hook: Callable[[int], int] | None = None


def spec(**changes: Any) -> AdapterSpec:
    values = {
        "type": "database",
        "summary": "A database.",
        "adapter": "nova_adapter:Adapter",
        "settings": Settings,
        "capabilities": {"b", "a"},
        "docs_url": "https://a.b/c",
        "example": {"path": "x"},
        "distribution": "oneiric-nova",
        "version": "1.0",
    }
    return AdapterSpec("nova", **(values | changes))


def config(**instances: dict[str, Any]) -> ConfigStore:
    return ConfigStore.load(overrides=instances, environ={})


@pytest.fixture(autouse=True)
def _nova(site: Site) -> None:
    site.install_adapter("nova")


def test_a_summary_has_the_schema_and_hides_a_secret_default():
    summary = summarise(spec(), Catalog([]), config())
    assert summary.capabilities == ["a", "b"]
    assert summary.settings_schema["required"] == ["path"]
    assert summary.settings_schema["additionalProperties"] is False
    assert summary.error is None
    assert "hunter2" not in summary.model_dump_json()


@pytest.mark.parametrize(
    ("instances", "status"),
    [
        ({}, "available"),
        ({"nova": {}}, "configured"),
        ({"orders": {"adapter": "nova"}}, "configured"),
        ({"x": {}}, "available"),
    ],
)
def test_the_status_says_whether_the_config_uses_it(instances: dict[str, Any], status: str):
    assert summarise(spec(), Catalog([]), config(**instances)).status == status


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"adapter": "no_such:X"},
            "nova: Its module `no_such` can't be found. Run: pip install --force-reinstall oneiric-nova",
        ),
        (
            {"settings": Unschemable},
            "Unschemable has no JSON Schema (PydanticInvalidForJsonSchema): its package needs mending.",
        ),
    ],
)
def test_what_can_not_be_used_has_an_error_and_is_shown_all_the_same(changes: dict[str, Any], said: str):
    broken = spec(**changes)
    summary = summarise(broken, Catalog([]), config(nova={}))
    info = describe(broken, Catalog([]), config(nova={}))
    assert (summary.status, summary.error) == (info.status, info.error) == ("error", said)


def test_a_description_is_whole():
    info = describe(spec(), Catalog([]), config(nova={}, orders={"adapter": "nova"}, other={}))
    assert info.model_dump(mode="json", exclude={"settings_schema"}) == {
        "name": "nova",
        "type": "database",
        "status": "configured",
        "description": "A database.",
        "class": "nova_adapter:Adapter",
        "settings_class": f"{__name__}:Settings",
        "capabilities": ["a", "b"],
        "example_config": {"path": "x"},
        "documentation_link": "https://a.b/c",
        "distribution": "oneiric-nova",
        "version": "1.0",
        "instances": ["nova", "orders"],
        "passport": None,
        "passport_problem": None,
        "error": None,
    }


def test_a_validation_tells_all_errors_with_their_paths():
    result = validate(spec(), Catalog([]), {"pth": "hunter2", "password": 5})
    assert not result.valid
    assert [(error.path, error.suggestion) for error in result.errors] == [
        ("path", None),
        ("password", None),
        ("pth", "path"),
    ]
    assert "hunter2" not in result.model_dump_json()


def test_a_right_config_for_an_adapter_that_can_not_be_used_is_valid_with_a_warning():
    result = validate(spec(adapter="no_such:X"), Catalog([]), {"path": "x"})
    assert result.valid
    assert "can't be found" in result.warnings[0]


@pytest.mark.parametrize("given", [[], "x", 5, None])
def test_a_config_that_is_no_mapping_is_invalid(given: object):
    assert not validate(spec(), Catalog([]), given).valid
