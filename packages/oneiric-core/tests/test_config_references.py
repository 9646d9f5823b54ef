"""References stand for secrets that are elsewhere, and are resolved at init alone."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from oneiric import Adapter, AdapterManager, AdapterSettings, AdapterSpec, Catalog, ConfigError, UnresolvedReference
from oneiric.config import ConfigStore, problems_of, resolved, schemes_of, text_file
from pydantic import SecretStr, model_validator

CANARY = "hunter2-canary"


class VaultSettings(AdapterSettings):
    url: str
    password: SecretStr | None = None
    port: int = 1
    keys: list[SecretStr] = []

    @model_validator(mode="after")
    def _check(self) -> VaultSettings:
        if self.url == "reference":
            raise ValueError("this is no url")
        return self


class Vault(Adapter):
    settings_class = VaultSettings
    settings: VaultSettings

    async def init(self) -> None: ...
    async def health(self) -> bool:
        return True

    async def cleanup(self) -> None: ...


SPEC = AdapterSpec("vault", type="secrets", summary="A vault.", adapter="vaults:Vault", settings=VaultSettings)


def manager(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, **environ: str) -> AdapterManager:
    monkeypatch.setattr(AdapterSpec, "load", lambda _: Vault)  # no module is installed for this class
    config = ConfigStore.load(overrides={"vault": values}, environ=environ)
    return AdapterManager(config, Catalog([SPEC]))


@pytest.fixture
def _files() -> None:
    Path("key.txt").write_text(f"{CANARY}\n")
    Path(".env").write_text("URL=dotenv\nPORT=3\n")


@pytest.mark.usefixtures("_files")
async def test_a_reference_is_resolved_where_the_adapter_is_made(monkeypatch: pytest.MonkeyPatch):
    values = {
        "url": {"$env": "URL"},
        "password": {"$file": "key.txt"},
        "port": {"$env": "PORT"},
        "keys": [{"$env": "URL"}],
    }
    async with manager(values, monkeypatch, URL="http://v", PORT="8") as adapters:
        assert adapters.config["vault"].values == values
        settings = (await adapters.get("vault", Vault)).settings
    assert (settings.url, settings.port) == ("http://v", 8)
    assert settings.password is not None
    assert settings.password.get_secret_value() == CANARY
    assert [key.get_secret_value() for key in settings.keys] == ["http://v"]


@pytest.mark.usefixtures("_files")
async def test_dotenv_is_looked_into_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch):
    async with manager({"url": {"$env": "URL"}, "port": {"$env": "PORT"}}, monkeypatch, URL="environment") as adapters:
        settings = (await adapters.get("vault", Vault)).settings
    assert (settings.url, settings.port) == ("environment", 3)


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ({"$env": "GONE"}, "{$env: GONE} can't be resolved: the variable GONE is not set"),
        ({"$env": "EMPTY"}, "{$env: EMPTY} is empty"),
        ({"$file": "gone"}, "{$file: gone} can't be resolved: the file can't be read: No such file"),
        ({"$file": "."}, "{$file: .} can't be resolved: the file can't be read: Is a directory"),
    ],
)
async def test_one_that_is_missing_or_empty_names_itself(
    reference: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
):
    async with manager({"url": "u", "password": reference}, monkeypatch, EMPTY="") as adapters:
        with pytest.raises(UnresolvedReference) as caught:
            await adapters.get("vault")
    assert sentence in str(caught.value)
    assert caught.value.adapter == "vault"


async def test_what_a_secret_is_not_fit_for_is_said_without_the_secret(monkeypatch: pytest.MonkeyPatch):
    async with manager({"url": "u", "port": {"$env": "PORT"}}, monkeypatch, PORT=CANARY) as adapters:
        with pytest.raises(ConfigError, match="`port`: input should be a valid integer") as caught:
            await adapters.get("vault")
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"url": {"$env": "X"}, "port": {"$env": "X"}}, []),
        ({"url": "u", "keys": [{"$env": "X"}, 3]}, ["keys[1]"]),
        ({"url": {"$env": "X"}, "port": "many"}, ["port"]),
        ({"pasword": {"$env": "X"}, "url": "u"}, ["pasword"]),
        ({"url": {"$evn": "X"}}, ["url"]),
        ({"url": {"$env": ""}}, ["url"]),
        ({"url": {"$env": 3}}, ["url"]),
        ({"url": {"$env": "X", "$file": "y"}}, ["url"]),
        ({"$env": "X"}, ["url", "$env"]),
        ({"password": {"$env": "X"}}, ["url"]),
    ],
)
def test_a_config_is_checked_around_its_references(values: dict[str, Any], problems: list[str]):
    assert [problem.path for problem in problems_of(VaultSettings, values, schemes_of(None))] == problems


def test_a_misspelled_scheme_is_told_the_nearest():
    (problem,) = problems_of(VaultSettings, {"url": {"$evn": "X"}}, schemes_of(None))
    assert "`$evn` is no scheme of references. Did you mean `$env`?" in problem.message


def test_what_a_resolver_raises_or_returns_is_its_own():
    def leak(_: str) -> str:
        raise RuntimeError(CANARY)

    for resolver in (leak, lambda _: "", lambda _: None):
        with pytest.raises(UnresolvedReference, match=r"\{\$vault: a/b\}") as caught:
            resolved({"password": {"$vault": "a/b"}}, {"vault": resolver})
        assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_secret_in_a_pipe_that_nobody_writes_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_file, "_PATIENCE", 0.05)
    os.mkfifo("secret")
    with pytest.raises(UnresolvedReference, match=r"nobody has written it to its end within 0.05 s"):
        resolved({"$file": "secret"}, schemes_of(None))
    with pytest.raises(UnresolvedReference, match="the file is larger than 64 KiB"):
        resolved({"$file": "/dev/zero"}, schemes_of(None))
