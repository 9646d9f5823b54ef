"""The layers of the config."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from oneiric import ConfigError, ConfigStore, UnknownAdapter

YAML = """
adapters:
  orders:
    adapter: postgres
    dsn: in-file
    pool: {size: 1, idle: 2}
  redis-streams:
  Cased:
    url: in-file
"""


@pytest.fixture
def _file() -> None:
    Path("oneiric.yaml").write_text(YAML, encoding="utf-8")


def load(overrides: Any = None, **environ: str) -> dict[str, Any]:
    config = ConfigStore.load(overrides=overrides, environ=environ)
    return {name: (instance.adapter, dict(instance.values)) for name, instance in config.items()}


def test_no_config_is_an_empty_one():
    config = ConfigStore.load(environ={})
    assert (dict(config), config.path) == ({}, None)


@pytest.mark.usefixtures("_file")
def test_an_instance_is_of_the_adapter_it_names_or_is_named_as():
    assert load() == {
        "orders": ("postgres", {"dsn": "in-file", "pool": {"size": 1, "idle": 2}}),
        "redis-streams": ("redis-streams", {}),
        "Cased": ("Cased", {"url": "in-file"}),
    }


@pytest.mark.usefixtures("_file")
def test_an_upper_layer_replaces_a_lower_one_key_by_key():
    environ = {"ONEIRIC_ADAPTERS__ORDERS__DSN": "in-env", "ONEIRIC_ADAPTERS__ORDERS__POOL__SIZE": "9"}
    assert load(**environ)["orders"] == ("postgres", {"dsn": "in-env", "pool": {"size": "9", "idle": 2}})
    in_code = {"orders": {"dsn": "in-code", "pool": {"idle": 8}}, "more": {"adapter": "sqlite"}}
    assert load(in_code, **environ)["orders"] == ("postgres", {"dsn": "in-code", "pool": {"size": "9", "idle": 8}})
    assert load(in_code, **environ)["more"] == ("sqlite", {})


@pytest.mark.usefixtures("_file")
def test_a_variable_finds_an_instance_with_dashes_or_capitals():
    environ = {"ONEIRIC_ADAPTERS__REDIS_STREAMS__URL": "x", "ONEIRIC_ADAPTERS__CASED__URL": "y"}
    found = load(**environ)
    assert found["redis-streams"] == ("redis-streams", {"url": "x"})
    assert found["Cased"] == ("Cased", {"url": "y"})
    assert len(found) == 3


def test_a_variable_finds_an_instance_that_only_the_code_names():
    found = load({"redis-streams": {"max": 1}}, ONEIRIC_ADAPTERS__REDIS_STREAMS__URL="x")
    assert found == {"redis-streams": ("redis-streams", {"url": "x", "max": 1})}


def test_the_environment_alone_is_a_config():
    assert load(ONEIRIC_ADAPTERS__SQLITE__PATH="x") == {"sqlite": ("sqlite", {"path": "x"})}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("adapter: {}", "`adapter` is not a key of the config; the only one is `adapters`."),
        ("adapters: {}\nextra: 1", "`extra` is not a key of the config"),
        ("adapters: []", "`adapters` should be a mapping"),
        ("adapters: 5", "`adapters` should be a mapping"),
        ("adapters: false", "`adapters` should be a mapping"),
        ("adapters: {5: {}}", "the instance name 5 should be a string: put it in quotes."),
        ("adapters: {true: {}}", "the instance name True should be a string"),
        ("adapters: {orders: hunter2}", "`adapters.orders` should be a mapping of settings."),
        ("adapters: {orders: [hunter2]}", "`adapters.orders` should be a mapping of settings."),
        ("adapters: {orders: {adapter: [hunter2]}}", "`adapters.orders.adapter` should be the name of an adapter."),
    ],
)
def test_a_file_of_the_wrong_shape_is_told_without_its_values(text: str, said: str):
    Path("oneiric.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        ConfigStore.load(environ={})
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["adapters:", "adapters: {}", "adapters:\n  orders:\n"])
def test_a_config_with_nothing_in_it_is_right(text: str):
    Path("oneiric.yaml").write_text(text, encoding="utf-8")
    assert len(ConfigStore.load(environ={})) == text.count("orders")


def test_a_config_that_is_named_and_missing_is_an_error():
    with pytest.raises(ConfigError, match=r"gone.yaml can't be read"):
        ConfigStore.load("gone.yaml", environ={})
    with pytest.raises(ConfigError, match=r"gone.yaml can't be read"):
        ConfigStore.load(environ={"ONEIRIC_CONFIG": "gone.yaml"})


@pytest.mark.usefixtures("_file")
def test_an_unknown_instance_gets_the_nearest_or_the_file_to_name_it_in():
    config = ConfigStore.load(environ={})
    with pytest.raises(UnknownAdapter, match=r"No instance 'order' is configured\. Did you mean `orders`\?"):
        config["order"]
    with pytest.raises(UnknownAdapter, match=r"Name it under `adapters:` in oneiric.yaml."):
        config["zzz"]
    assert "order" not in config
    assert config.get("order") is None
    assert config.get("orders") == config["orders"]


@pytest.mark.usefixtures("_file")
def test_the_values_of_an_instance_are_not_in_its_repr():
    config = ConfigStore.load(environ={"ONEIRIC_ADAPTERS__ORDERS__PASSWORD": "hunter2"})
    assert "hunter2" not in repr(config["orders"])
    assert pickle.loads(pickle.dumps(config["orders"])) == config["orders"]


def test_a_mapping_that_holds_itself_is_read_and_refused_later():
    Path("oneiric.yaml").write_text("adapters:\n  orders: &o {again: *o}\n", encoding="utf-8")
    assert list(ConfigStore.load(environ={"ONEIRIC_ADAPTERS__ORDERS__AGAIN__X": "1"})) == ["orders"]


def test_a_variable_alone_can_name_an_adapter_with_a_dash():
    assert load(ONEIRIC_ADAPTERS__REDIS_PUBSUB__URL="x") == {"redis_pubsub": ("redis-pubsub", {"url": "x"})}
