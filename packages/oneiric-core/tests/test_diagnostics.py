"""The connection test."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from oneiric import Adapter, AdapterSettings, AdapterSpec, ConnectionFailed, Health
from oneiric.diagnostics import check_connection


class Settings(AdapterSettings):
    does: str = "works"
    password: str = ""


class Scripted(Adapter):
    settings_class = Settings
    settings: Settings
    log: list[str] = []

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        if self.settings.does == "can't be made":
            raise TypeError(self.settings.password)

    async def init(self) -> None:
        self.log.append("init")
        if self.settings.does == "fails":
            raise ConnectionFailed("The server is away.", adapter=self.name)
        if self.settings.does == "raises":
            raise OSError(self.settings.password)

    async def health(self) -> bool | Health:
        if self.settings.does == "ill":
            return Health(ok=False, detail="The disk is full.")
        return self.settings.does != "says no"

    async def cleanup(self) -> None:
        self.log.append("cleanup")


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("diagnosed_adapter")
    module.Scripted = Scripted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "diagnosed_adapter", module)
    Scripted.log = []


SPEC = AdapterSpec("nova", type="database", summary="A.", adapter="diagnosed_adapter:Scripted", settings=Settings)


async def test_a_connection_that_works():
    result = await check_connection(SPEC, {})
    assert (result.success, result.error) == (True, None)
    assert result.latency_ms > 0
    assert Scripted.log == ["init", "cleanup"]


@pytest.mark.parametrize(
    ("does", "error"),
    [
        ("fails", "nova: The server is away."),
        ("raises", "The init of `nova` raised OSError."),
        ("can't be made", "Making the Scripted of `nova` raised TypeError."),
        ("ill", "The disk is full."),
        ("says no", "It says that it is not healthy."),
    ],
)
async def test_whatever_goes_wrong_is_the_answer_and_nothing_is_left_open(does: str, error: str):
    result = await check_connection(SPEC, {"does": does, "password": "hunter2"})
    assert (result.success, result.error) == (False, error)
    assert Scripted.log in ([], ["init", "cleanup"])


async def test_a_wrong_config_or_a_missing_adapter_is_the_answer():
    result = await check_connection(SPEC, {"pasword": "hunter2"})
    assert "Did you mean `password`?" in str(result.error)
    assert "hunter2" not in str(result.error)
    gone = AdapterSpec("gone", type="database", summary="A.", adapter="no_such_module:X")
    assert "no_such_module" in str((await check_connection(gone, {})).error)
