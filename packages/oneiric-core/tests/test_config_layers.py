"""Every value has the layer and the place that it comes from; a model of ten lines says which layer wins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oneiric import ConfigError
from oneiric.config import ConfigStore, LayerName, Source

NAMES = st.sampled_from(["orders", "redis-streams", "v"])
KEYS = st.sampled_from(["dsn", "size", "idle"])
SCALARS = st.integers(0, 99).map(str)
SETTINGS = st.dictionaries(KEYS | st.just("pool"), SCALARS | st.dictionaries(KEYS, SCALARS, min_size=1), max_size=4)
LAYERS = st.dictionaries(NAMES, SETTINGS, max_size=3)


def variables(layer: dict[str, Any]) -> dict[str, str]:
    """The layer as variables, one a value."""
    return {"__".join(("ONEIRIC_ADAPTERS", *path)).upper().replace("-", "_"): value for path, value in flat(layer)}


def flat(tree: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    pairs = []
    for key, value in tree.items():
        pairs += flat(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]
    return pairs


def model(layers: list[tuple[LayerName, dict[str, Any]]]) -> dict[tuple[str, ...], tuple[str, LayerName]]:
    """What takes effect: a value replaces what is at its path, above it and below it."""
    effective: dict[tuple[str, ...], tuple[str, LayerName]] = {}
    for name, layer in layers:
        for path, value in flat(layer):
            for other in list(effective):
                if other[: len(path)] == path or path[: len(other)] == other:
                    del effective[other]
            effective[path] = (value, name)
    return effective


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(in_file=LAYERS, in_dotenv=LAYERS, in_environment=LAYERS, in_code=LAYERS)
def test_value_and_source_agree_with_the_model(
    tmp_path: Path, in_file: Any, in_dotenv: Any, in_environment: Any, in_code: Any
):
    for name in {*in_dotenv, *in_environment, *in_code}:
        in_file.setdefault(name, {})  # a variable finds an instance with a dash by the name that the file gives it
    (tmp_path / "oneiric.yaml").write_text(json.dumps({"adapters": in_file}, indent=1))
    (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in variables(in_dotenv).items()))
    store = ConfigStore.load(tmp_path / "oneiric.yaml", overrides=in_code, environ=variables(in_environment))
    effective = {
        (name, *path): (_at(instance.values, path), source.layer)
        for name, instance in store.items()
        for path, source in instance.sources.items()
        if _at(instance.values, path) != {}
    }
    assert effective == model(
        [
            (LayerName.FILE, in_file),
            (LayerName.DOTENV, in_dotenv),
            (LayerName.ENVIRONMENT, in_environment),
            (LayerName.OVERRIDE, in_code),
        ]
    )


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def test_a_source_is_the_line_or_the_variable():
    Path("oneiric.yaml").write_text(
        "# ours\nadapters:\n  orders:\n    adapter: postgres\n"
        "    hosts:\n    - a\n    - b\n    pool: {size: 1,\n      idle: 2}\n"
    )
    Path(".env").write_text("ONEIRIC_ADAPTERS__ORDERS__TIMEOUT=3\n")
    environ = {"oneiric_adapters__orders__Pool__Max": "7", "ONEIRIC_ADAPTERS__MORE": '{"adapter": "sqlite"}'}
    config = ConfigStore.load(overrides={"orders": {"name": "x"}}, environ=environ)
    assert config["orders"].sources == {
        ("adapter",): Source(LayerName.FILE, "oneiric.yaml:4"),
        ("hosts",): Source(LayerName.FILE, "oneiric.yaml:5"),
        ("pool", "size"): Source(LayerName.FILE, "oneiric.yaml:8"),
        ("pool", "idle"): Source(LayerName.FILE, "oneiric.yaml:9"),
        ("pool", "max"): Source(LayerName.ENVIRONMENT, "oneiric_adapters__orders__Pool__Max"),
        ("timeout",): Source(LayerName.DOTENV, ".env: ONEIRIC_ADAPTERS__ORDERS__TIMEOUT"),
        ("name",): Source(LayerName.OVERRIDE),
    }
    assert config["more"].sources == {("adapter",): Source(LayerName.ENVIRONMENT, "ONEIRIC_ADAPTERS__MORE")}


def test_dotenv_is_the_one_beside_the_config_file(tmp_path: Path):
    Path(".env").write_text("ONEIRIC_ADAPTERS__V__DSN=here")
    other = tmp_path / "etc"
    other.mkdir()
    (other / "oneiric.yaml").write_text("adapters: {v: {}}")
    (other / ".env").write_text("ONEIRIC_ADAPTERS__V__DSN=there")
    assert ConfigStore.load(environ={})["v"].values == {"dsn": "here"}
    assert ConfigStore.load(other / "oneiric.yaml", environ={})["v"].values == {"dsn": "there"}


def test_an_instance_that_holds_itself_or_a_bomb_leaves_the_others_alone():
    bomb = "".join(f"    b{n}: &b{n} {{x: *b{n - 1}, y: *b{n - 1}}}\n" for n in range(1, 40))
    Path("oneiric.yaml").write_text(
        f"adapters:\n  bomb:\n    b0: &b0 {{x: 1}}\n{bomb}  bad: &bad\n    again: *bad\n  good: {{dsn: x}}\n"
    )
    config = ConfigStore.load(environ={})
    assert config["good"].values == {"dsn": "x"}
    assert set(config) == {"good", "bad", "bomb"}


def test_aliases_that_make_more_of_a_file_than_anybody_could_look_at_are_one_sentence():
    wide = ", ".join(f"k{n}: 1" for n in range(15_000))
    many = "".join(f"  b{n}: *a\n" for n in range(5_000))
    Path("oneiric.yaml").write_text(f"adapters:\n  a: &a {{{wide}}}\n{many}")
    with pytest.raises(ConfigError, match="The config holds more than 200000 values"):
        ConfigStore.load(environ={})
