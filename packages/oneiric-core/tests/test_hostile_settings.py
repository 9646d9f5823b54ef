"""A settings class is a third party's code: whatever it does, the others are listed, and nothing ends or leaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from oneiric import AdapterSettings, AdapterSpec, Catalog, ConfigStore, InvalidSpec
from oneiric.inspection import AdapterStatus, summarise
from oneiric.masking import without_passwords
from oneiric.validation import check
from pydantic import SecretStr, field_validator

CANARY = "Hunter2Canary"


def schema_that(does: Any) -> type[AdapterSettings]:
    class Odd(AdapterSettings):
        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> Any:
            return does()

    return Odd


def exits() -> None:
    raise SystemExit(9)


@pytest.mark.parametrize(
    "does",
    [
        list,
        lambda: None,
        lambda: {"properties": [1, 2]},
        lambda: {"properties": {"a": 3}},
        lambda: {"properties": {"a": object()}},
        lambda: {"description": "\ud800"},
        lambda: {"description": "x" * 3_000_000},
        exits,
    ],
    ids=["list", "null", "properties", "field", "object", "surrogate", "huge", "exit"],
)
def test_an_odd_schema_is_an_error_of_its_own_adapter(does: Any):
    spec = AdapterSpec("odd", type="database", summary="A.", adapter="json:loads", settings=schema_that(does))
    summary = summarise(spec, Catalog([spec]), ConfigStore({}))
    assert summary.status is AdapterStatus.ERROR
    assert summary.settings_schema == {}
    assert summary.error
    assert len(summary.model_dump_json()) < 1000


@pytest.mark.parametrize(
    "wrong", [{"capabilities": {"\ud800"}}, {"docs_url": "https://x/\ud800"}, {"example": {"a": "\ud800"}}]
)
def test_half_a_character_makes_a_spec_invalid(wrong: dict[str, Any]):
    with pytest.raises(InvalidSpec):
        AdapterSpec("odd", type="database", summary="A.", adapter="json:loads", **wrong)


class Leaky(AdapterSettings):
    dsn: str = ""
    pin: int = 0
    password: SecretStr = SecretStr("")

    @field_validator("dsn")
    @classmethod
    def _check_dsn(cls, value: str) -> str:
        if value == "exit":
            raise SystemExit(value)
        if value.startswith(" "):
            raise ValueError(f"{value.strip()!r} is padded, says {value.strip().upper()}")
        _ = urlsplit(value).port
        return value

    @field_validator("pin")
    @classmethod
    def _check_pin(cls, value: int) -> int:
        if value:
            raise ValueError(f"{value} is a bad pin")
        return value

    @field_validator("password")
    @classmethod
    def _check_password(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            raise ValueError(f"it should not start with {value.get_secret_value()[:6]}")
        return value


@pytest.mark.parametrize(
    ("config", "leak"),
    [
        ({"dsn": f"postgresql://app:{CANARY}/x@db:5432/x"}, CANARY),
        ({"dsn": f"  {CANARY} "}, CANARY),
        ({"pin": 867530}, "867530"),
        ({"password": CANARY}, CANARY[:6]),
    ],
)
def test_a_validator_s_sentence_is_passed_on_without_the_value(config: dict[str, Any], leak: str):
    _, problems = check(Leaky, config)
    (problem,) = problems
    assert leak.casefold() not in problem.message.casefold()
    assert len(problem.message) > 10


def test_a_validator_that_exits_does_not_end_the_program():
    _, (problem,) = check(Leaky, {"dsn": "exit"})
    assert "raised SystemExit" in problem.message


@pytest.mark.parametrize(
    "url",
    [f"postgresql://app:{CANARY}/x@db/x", f"x redis://:{CANARY}@h y", f"a://u:{CANARY}@@h", f"a://u:p@{CANARY}@h"],
)
def test_the_password_of_a_url_is_masked_whatever_is_in_it(url: str):
    assert CANARY not in without_passwords(url)
    assert without_passwords("http://db:5432/x") == "http://db:5432/x"


NOISY = {
    "noisy.py": """
import os
from oneiric import AdapterSettings, AdapterSpec, hookimpl
os.write(1, b"written past Python\\n")

class Settings(AdapterSettings):
    @classmethod
    def model_json_schema(cls, *a, **k):
        print("printed in a schema")
        os.system("echo from a child")
        return super().model_json_schema(*a, **k)

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("noisy", type="database", summary="A.", adapter="json:loads", settings=Settings)]
""",
    "noisy-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n",
    "noisy-1.0.dist-info/entry_points.txt": "[oneiric]\nnoisy = noisy\n",
}


@pytest.mark.parametrize("command", [["list"], ["info", "noisy"], ["info", "gone"], ["plugins"]])
def test_what_a_plugin_prints_is_no_part_of_the_json(tmp_path: Path, command: list[str]):
    for name, text in NOISY.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environ = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
    result = subprocess.run(
        [sys.executable, "-m", "oneiric", *command, "--json"], env=environ, capture_output=True, timeout=60, check=False
    )
    assert json.loads(result.stdout)
    assert b"written past Python" in result.stderr


def test_a_folder_that_may_not_be_looked_into_holds_no_config(monkeypatch: pytest.MonkeyPatch):
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)  # as root, the test can't make such a folder
    assert ConfigStore.load(environ={}).path is None
