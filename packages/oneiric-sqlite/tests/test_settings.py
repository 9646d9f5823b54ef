from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import oneiric_sqlite
import pytest
from oneiric import Targets
from oneiric.errors import ConfigError
from oneiric.validation import check
from oneiric_sqlite import SqliteAdapter, SqliteSettings
from oneiric_sqlite.plugin import oneiric_adapters
from packaging.requirements import Requirement


def test_the_spec_loads_and_its_example_validates() -> None:
    (spec,) = oneiric_adapters()
    settings, problems = check(spec.settings, spec.example)
    assert (spec.name, spec.type, problems) == ("sqlite", "database", ())
    assert isinstance(settings, SqliteSettings)
    assert spec.load() is SqliteAdapter


def test_plugin_and_settings_import_no_driver() -> None:
    code = (
        "import sys, oneiric_sqlite.plugin, oneiric_sqlite.settings; oneiric_sqlite.plugin.oneiric_adapters();"
        "sys.exit(' '.join({'aiosqlite', 'sqlite3', '_sqlite3'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_driver_whose_thread_dies_of_a_job_without_a_future_is_not_let_in() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    (driver,) = [Requirement(text) for text in project["dependencies"] if text.startswith("aiosqlite")]
    assert [version for version in ("0.22.0", "0.22.1", "0.23.0") if version in driver.specifier] == ["0.22.1"]


def test_the_face_has_what_it_says() -> None:
    assert [getattr(oneiric_sqlite, name).__name__ for name in oneiric_sqlite.__all__] == oneiric_sqlite.__all__
    assert set(oneiric_sqlite.__all__) <= set(dir(oneiric_sqlite))
    with pytest.raises(AttributeError, match="nothing"):
        _ = oneiric_sqlite.nothing


def test_every_setting_is_described() -> None:
    assert all(field.description for field in SqliteSettings.model_fields.values())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "`path` is required"),
        ({"path": ""}, "the path is empty"),
        ({"path": "\t"}, "the path is empty"),
        ({"path": "a\0b"}, "NUL"),
        ({"path": "sqlite:///x.db"}, "this is a URL"),
        ({"path": "file:x.db?mode=ro"}, "this is a URL"),
        ({"path": "x.db", "readers": 0}, "readers"),
        ({"path": "x.db", "timeout": 0}, "timeout"),
        ({"path": "x.db", "timeout": float("inf")}, "timeout"),
        ({"path": "x.db", "busy_timeout": -1}, "busy_timeout"),
        ({"path": "x.db", "synchronous": "off"}, "synchronous"),
        ({"path": "x.db", "pth": "y"}, "`pth` is not a setting"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SqliteAdapter(config)


def test_a_path_may_be_a_path() -> None:
    assert SqliteSettings.model_validate({"path": Path("a") / "b.db"}).path == str(Path("a") / "b.db")
    assert SqliteSettings.model_json_schema()["properties"]["path"]["type"] == "string"


def test_in_memory_it_is_neither_durable_nor_read_beside_a_write():
    assert SqliteSettings(path=":memory:").lacks() == {"durable", "concurrent-reads"}
    assert SqliteSettings(path="a.db").lacks() == frozenset()


def test_what_it_reaches_is_its_file() -> None:
    assert SqliteSettings(path="~/orders.db").targets() == Targets(files=("~/orders.db",))
    assert SqliteSettings(path=":memory:").targets() == Targets()
