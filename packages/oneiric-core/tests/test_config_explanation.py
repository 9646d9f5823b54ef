"""`explain` shows each value that takes effect, where it comes from, and no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterSettings, ConfigStore
from oneiric.config import explain
from pydantic import BaseModel, Field, SecretStr

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "hunter2-canary"


class Pool(BaseModel):
    size: int = 4
    key: SecretStr = SecretStr(CANARY)


class Settings(AdapterSettings):
    dsn: str
    password: SecretStr | None = None
    tokens: dict[str, SecretStr] = {}
    pool: Pool = Pool()
    hosts: list[str] = Field(default_factory=lambda: ["a"])
    port: int


def explained(values: dict[str, Any]) -> dict[str, tuple[Any, str, str | None]]:
    config = ConfigStore.load(overrides={"x": values}, environ={})
    return {value.key: (value.value, value.layer, value.location) for value in explain(config["x"], Settings)}


def test_what_is_not_configured_is_a_default_and_what_is_required_is_absent():
    assert explained({"pool": {"size": 9}}) == {
        "adapter": ("x", "default", None),
        "password": (None, "default", None),
        "tokens": ({}, "default", None),
        "pool.size": (9, "override", None),
        "pool.key": ("**********", "default", None),
        "hosts": (["a"], "default", None),
    }


@pytest.mark.parametrize(
    "values",
    [
        {"password": CANARY},
        {"tokens": {"a": CANARY}},
        {"pool": {"key": CANARY}},
        {"pasword": CANARY},
        {"pool": {"kye": [CANARY]}},
        {"dsn": f"postgresql://app:{CANARY}@db/orders"},
        {"dsn": f"postgresql://app:{CANARY}@x@db/orders"},
        {"hosts": [f"redis://:{CANARY}@a", "b"]},
        {"dsn": {"nested": [f"amqp://u:{CANARY}@h"]}},
    ],
)
def test_no_secret_is_shown(values: dict[str, Any]):
    shown = repr(explained(values))
    assert "**********" in shown
    assert CANARY not in shown


def test_a_reference_is_shown_as_it_stands():
    assert explained({"password": {"$env": "PW"}})["password"] == ({"$env": "PW"}, "override", None)


def test_a_value_that_holds_itself_is_not_walked():
    circle: dict[str, Any] = {}
    circle["again"] = [circle]
    assert explained({"dsn": [circle]})["dsn"] == ("**********", "override", None)


def test_a_settings_object_does_not_print_a_dsn_s_password():
    settings = Settings(dsn=f"postgresql://app:{CANARY}@db/orders", port=1)
    assert CANARY not in repr(settings) + str(settings)
    assert "postgresql://app:**********@db/orders" in repr(settings)


PLUGIN = {
    "vaults.py": """
from oneiric import AdapterSettings, AdapterSpec, hookimpl
from pydantic import SecretStr

class Settings(AdapterSettings):
    url: str
    password: SecretStr

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("vault", type="secrets", summary="A vault.", adapter="vaults:X", settings=Settings)]
""",
    "vaults-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: vaults\nVersion: 1.0\n",
    "vaults-1.0.dist-info/entry_points.txt": "[oneiric]\nvaults = vaults\n",
}


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    for name, text in PLUGIN.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "oneiric", "explain", *arguments]
    environ = {"PYTHONPATH": str(folder), "COLUMNS": "100"}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_shows_lines_and_problems(tmp_path: Path):
    (tmp_path / "oneiric.yaml").write_text(f"adapters:\n  v:\n    adapter: vault\n    pasword: {CANARY}\n")
    result = run("v", "--json", folder=tmp_path)
    answer = json.loads(result.stdout)
    assert result.returncode == 1
    assert answer["values"] == [
        {"key": "adapter", "value": "vault", "layer": "file", "location": "oneiric.yaml:3"},
        {"key": "pasword", "value": "**********", "layer": "file", "location": "oneiric.yaml:4"},
    ]
    assert [problem["suggestion"] for problem in answer["problems"]] == [None, None, "password"]
    table = run("v", folder=tmp_path)
    assert (table.returncode, "oneiric.yaml:4" in table.stdout) == (1, True)
    assert CANARY not in table.stdout + table.stderr + result.stdout + result.stderr


def test_the_command_s_answer_is_yes_where_the_config_is_right(tmp_path: Path):
    config = tmp_path / "other.yaml"
    config.write_text("adapters:\n  vault:\n    url: u\n    password: {$env: PW}\n")
    result = run("vault", "--config", str(config), folder=tmp_path)
    assert (result.returncode, '{"$env": "PW"}' in result.stdout) == (0, True), result.stderr
    assert "other.yaml:4" in result.stdout
    unknown = run("vualt", "--config", str(config), folder=tmp_path)
    assert (unknown.returncode, "Did you mean `vault`?" in unknown.stderr) == (1, True)
