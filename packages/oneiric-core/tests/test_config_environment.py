"""The environment's layer."""

from __future__ import annotations

from pathlib import Path

import pytest
from oneiric import ConfigError
from oneiric.config.environment import read_dotenv, read_environment


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


def test_a_dotenv_with_a_byte_order_mark_is_read():
    Path(".env").write_bytes(b"\xef\xbb\xbfA=1\n")
    assert read_dotenv(Path(".env")) == {"A": "1"}


def test_a_folder_of_that_name_is_no_dotenv():
    Path(".env").mkdir()  # as of a virtual environment
    assert read_dotenv(Path(".env")) == {}


def test_a_dotenv_that_is_none_is_one_sentence():
    Path(".env").write_bytes(b"A=1\n" * 100_000)
    with pytest.raises(ConfigError, match=r"\.env is larger than 256 KiB"):
        read_dotenv(Path(".env"))
    Path(".env").write_bytes("A=hunter2".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"\.env can't be read: it is UTF-16 text; save it as UTF-8"):
        read_dotenv(Path(".env"))
