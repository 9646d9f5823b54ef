"""The environment's layer."""

from __future__ import annotations

import pytest
from oneiric import ConfigError
from oneiric.config.environment import read_environment


@pytest.mark.parametrize(
    ("environ", "read"),
    [
        ({}, {}),
        ({"ONEIRIC_ADAPTERS__ORDERS__DSN": "x"}, {"orders": {"dsn": "x"}}),
        ({"oneiric_adapters__orders__dsn": "x"}, {"orders": {"dsn": "x"}}),
        ({"ONEIRIC_ADAPTERS__ORDERS__POOL__SIZE": "3"}, {"orders": {"pool": {"size": "3"}}}),
        ({"ONEIRIC_ADAPTERS__ORDERS__POOL__PASSWORD": "null"}, {"orders": {"pool": {"password": "null"}}}),
        ({"ONEIRIC_ADAPTERS__ORDERS__HOSTS": '["a", 1]'}, {"orders": {"hosts": ["a", 1]}}),
        ({"ONEIRIC_ADAPTERS__ORDERS__PASSWORD": "[not json"}, {"orders": {"password": "[not json"}}),
        ({"ONEIRIC_ADAPTERS__ORDERS__PASSWORD": "[" * 100_000}, {"orders": {"password": "[" * 100_000}}),
        ({"ONEIRIC_ADAPTERS__ORDERS__PORT": "5"}, {"orders": {"port": "5"}}),
        ({"ONEIRIC_ADAPTERS__ORDERS": '{"dsn": "x"}'}, {"orders": {"dsn": "x"}}),
        ({"ONEIRIC_ADAPTERS": '{"orders": {"dsn": "x"}}'}, {"orders": {"dsn": "x"}}),
        ({"ONEIRIC_CONFIG": "x", "OTHER__ORDERS__DSN": "x"}, {}),
    ],
)
def test_variables_are_read_by_the_convention_of_pydantic_settings(environ: dict[str, str], read: object):
    assert read_environment(environ) == read


@pytest.mark.parametrize("nested_first", [True, False])
def test_a_setting_and_a_key_in_it_do_not_crash(nested_first: bool):
    pairs = [("ONEIRIC_ADAPTERS__ORDERS__DSN", "x"), ("ONEIRIC_ADAPTERS__ORDERS__DSN__HOST", "y")]
    assert "orders" in read_environment(dict(reversed(pairs) if nested_first else pairs))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ONEIRIC_ADAPTERS", "hunter2"),
        ("ONEIRIC_ADAPTERS", '["hunter2"]'),
        ("ONEIRIC_ADAPTERS__ORDERS", "hunter2"),
        ("ONEIRIC_ADAPTERS__ORDERS", '{"dsn": "hunter2"'),
        ("ONEIRIC_ADAPTERS__ORDERS", '["hunter2"]'),
    ],
)
def test_a_variable_that_is_no_setting_is_named_and_not_quoted(variable: str, value: str):
    with pytest.raises(ConfigError) as caught:
        read_environment({variable: value})
    assert f"`{variable}` should be a JSON object" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
