"""`oneiric config`: from what is typed to the file and back."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import ConfigError
from oneiric.cli.assignments import changes_of

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

CANARY = "hunter2-canary"
START = f"""\
# ours
adapters:
  orders: # the first
    adapter: vault
    url: https://app:{CANARY}@vault  # where
    password: {CANARY}
"""
PLUGIN = """
from oneiric import AdapterSettings, AdapterSpec, hookimpl
from pydantic import BaseModel, SecretStr

class Pool(BaseModel):
    size: int = 4
    key: SecretStr | None = None

class Settings(AdapterSettings):
    url: str
    password: SecretStr | None = None
    pool: Pool = Pool()
    tags: list[str] = []

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("vault", type="secrets", summary="A vault.", adapter="vaults:X", settings=Settings)]
"""


@pytest.fixture
def vault(site: Site) -> Site:
    site.install("vaults", PLUGIN)
    file(site).write_text(START)
    return site


def file(site: Site) -> Path:
    return site.work / "oneiric.yaml"


def run(site: Site, *arguments: str, code: int = 0, stdin: str = "", **environ: str) -> str:
    """What the command prints, which is no secret; with the error, where there is one."""
    done = site.oneiric("config", *arguments, stdin=stdin, **environ)
    assert done.returncode == code, done
    assert CANARY not in done.stdout + done.stderr
    return done.stdout + done.stderr


def error(site: Site, *arguments: str, stdin: str = "", **environ: str) -> Any:
    before = file(site).read_text()
    answer = site.json("config", *arguments, code=1, stdin=stdin, **environ)["error"]
    assert file(site).read_text() == before
    assert CANARY not in str(answer)
    return answer


def test_get_shows_what_takes_effect_and_no_secret(vault: Site):
    table = run(vault, "get", "orders", ONEIRIC_ADAPTERS__ORDERS__POOL__SIZE="9")
    assert "https://app:**********@vault" in table
    assert vault.json("config", "get", "orders") == {
        "adapter": "vault",
        "url": "https://app:**********@vault",
        "password": "**********",
        "pool.size": 4,
        "pool.key": None,
        "tags": [],
    }
    assert run(vault, "get", "orders", "pool.size") == "4\n"
    assert vault.json("config", "get", "orders", "pool", ONEIRIC_ADAPTERS__ORDERS__POOL__SIZE="9") == {
        "pool.size": "9",
        "pool.key": None,
    }
    assert error(vault, "get", "orders", "passwort")["hint"] == "Did you mean `password`?"
    assert "orders" in error(vault, "get", "order")["hint"]


def test_plan_then_apply_by_its_hash(vault: Site):
    change = ("orders", "password={$env: PW}", "pool.size=7", "tags=[a, 'b: c']", "--unset", "url", "--unset=pool.key")
    assert "`url` is required" in str(error(vault, "plan", *change))
    change = (*change[:4], "url=postgresql://x")
    planned = vault.json("config", "plan", *change)
    assert planned["changes"] == [
        {"key": "url", "before": "https://app:**********@vault", "after": "postgresql://x"},
        {"key": "password", "before": "**********", "after": {"$env": "PW"}},
        {"key": "pool.size", "before": None, "after": 7},
        {"key": "tags", "before": None, "after": ["a", "b: c"]},
    ]
    assert (planned["path"], planned["instance"], planned["warnings"]) == ("oneiric.yaml", "orders", [])
    text = run(vault, "plan", *change)
    assert f"Plan {planned['hash']}" in text
    assert '~ password: ********** → {"$env": "PW"}' in text
    assert file(vault).read_text() == START
    assert error(vault, "apply", *change, "--plan", "0" * 32)["type"] == "ConfigChanged"
    assert error(vault, "apply", *change[:2], "--plan", planned["hash"])["type"] == "ConfigChanged"
    assert "--plan" in vault.oneiric("config", "apply", *change).stderr
    applied = vault.json("config", "apply", *change, "--plan", planned["hash"])
    assert (applied["applied"], applied["version"], applied["hash"]) == (True, 1, planned["hash"])
    assert file(vault).read_text() == (
        "# ours\nadapters:\n  orders: # the first\n    adapter: vault\n    url: postgresql://x  # where\n"
        "    password: {$env: PW}\n    pool:\n      size: 7\n    tags: [a, 'b: c']\n"
    )
    assert error(vault, "apply", *change, "--plan", planned["hash"])["type"] == "ConfigChanged"


def test_set_history_and_rollback(vault: Site):
    assert "Applied; the file as it was is version 1." in run(vault, "set", "orders", "pool.size=5", "--yes")
    answer = vault.json("config", "set", "orders", "--remove", "--yes")
    assert (answer["applied"], answer["version"], len(answer["changes"])) == (True, 2, 4)
    assert "Nothing changes" in run(vault, "set", "orders", "--remove", "--yes")
    assert "Nothing changes" in run(vault, "set", "orders", "--remove")
    assert [version["number"] for version in vault.json("config", "history")] == [2, 1]
    assert "version" in run(vault, "history")
    planned = vault.json("config", "rollback", "1", "--dry-run")
    assert planned["instance"] is None
    assert f"Plan {planned['hash']}" in run(vault, "rollback", "1", "--dry-run")
    assert error(vault, "rollback", "--plan", planned["hash"])["type"] == "ConfigChanged"
    assert vault.json("config", "rollback", "1", "--plan", planned["hash"])["version"] == 3
    assert file(vault).read_text() == START
    run(vault, "rollback", "--yes")
    assert file(vault).read_text() == "# ours\nadapters: {}\n"
    assert "There are 1 to 4" in error(vault, "rollback", "9", "--yes")["hint"]


def test_without_anybody_to_ask_nothing_is_changed(vault: Site):
    for command in (("set", "orders", "pool.size=5"), ("set", "orders", "--remove")):
        assert "Say --yes" in error(vault, *command)["hint"]
        assert "Say --yes" in run(vault, *command, code=1, stdin="y\n")
    run(vault, "set", "orders", "pool.size=5", "--yes")
    assert "Say --yes" in error(vault, "rollback")["hint"]


@pytest.mark.parametrize(("typed", "code", "size"), [(b"y\n", 0, 5), (b"\n", 1, 4), (b"\x04", 1, 4)])
def test_on_a_terminal_it_asks(vault: Site, typed: bytes, code: int, size: int):
    ours, theirs = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": str(vault.folder), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "oneiric", "config", "set", "orders", "pool.size=5"]
    streams: dict[str, Any] = {"stdin": theirs, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=vault.work, env=environ, **streams) as child:
        os.write(ours, typed)
        assert child.stdout is not None
        said = child.stdout.read().decode()
    os.close(ours)
    os.close(theirs)
    assert child.returncode == code, said
    assert "+ pool.size: 5" in said
    assert "Apply this?" in said
    assert "Traceback" not in said
    assert vault.json("config", "get", "orders", "pool.size") == size


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((CANARY,), "Argument 1 after the instance is not KEY=VALUE."),
        (("pool.size=1", f"={CANARY}"), "Argument 2 after the instance is not KEY=VALUE."),
        (("password=",), "`password` has no value."),
        (("password=null",), "`password` can't be null."),
        (("password=~",), "`password` can't be null."),
        ((f"password={CANARY} #x",), "is more than it is read as"),
        ((f"password=@{CANARY}",), "The value of `password` is not valid YAML."),
        ((f"password={CANARY}: {{",), "The value of `password` is not valid YAML."),
        ((f"password=*{CANARY}",), "The value of `password` is not valid YAML."),
        ((f"password=!x {CANARY}",), "The value of `password` is not valid YAML."),
        (("password=**********",), "is not valid YAML"),
        (("pool.size=1", "pool.size=2"), "`pool.size`, or a part of it, is set twice."),
        (("pool=1", "pool.size=2"), "`pool.size` and what it is a part of are both set."),
        (("pool.size=2", "pool=1"), "`pool`, or a part of it, is set twice."),
        (("pool..size=2",), "`pool..size` is not a key."),
        (("pool.=2",), "`pool.` is not a key."),
        ((".pool=2",), "`.pool` is not a key."),
    ],
)
def test_what_can_not_be_meant_is_refused(arguments: tuple[str, ...], said: str):
    with pytest.raises(ConfigError) as caught:
        changes_of(arguments, ())
    assert said in str(caught.value)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_values_are_yaml():
    values = {"5": 5, "1.5": 1.5, "true": True, "yes": "yes", "012": 12, "a b": "a b", "'5'": "5", '""': "", "[]": []}
    values |= {
        "{$env: X}": {"$env": "X"},
        "{a: null}": {"a": None},
        "postgresql://a:b@c/d?e=f": "postgresql://a:b@c/d?e=f",
    }
    for text, value in values.items():
        assert changes_of([f"a.b={text}"], ["a.c"]) == {"a": {"b": value, "c": None}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((f"password={CANARY}: [",), "The value of `password` is not valid YAML."),
        (("url=!!binary aGk=",), "`url`: YAML has no bytes."),
        ((f"password=[{CANARY}]", f"pasword={CANARY}"), "is wrong"),
        (("password='**********'",), "holds what is shown in place of a secret"),
        ((), "Say what to change"),
        (("pool.size=1", "--remove"), "Say what to change"),
        (("--from", "gone.yaml"), "gone.yaml can't be read: No such file or directory."),
        (("--from", "."), ". can't be read: Is a directory."),
    ],
)
def test_what_is_refused_changes_nothing(vault: Site, arguments: tuple[str, ...], said: str):
    assert said in error(vault, "set", "orders", *arguments, "--yes")["message"]


def test_what_a_file_or_standard_input_holds(vault: Site):
    run(vault, "set", "orders", "--from", "-", "--yes", stdin="pool: {size: 6}\npassword: null\n")
    (vault.work / "change.json").write_text('{"tags": ["a"], "pool": {"size": null}}')
    run(vault, "set", "orders", "--from", "change.json", "--yes")
    assert vault.json("config", "get", "orders")["pool.size"] == 4
    assert vault.json("config", "get", "orders")["tags"] == ["a"]
    for stdin in ("", "- a", "5", f"a: {CANARY}: b", f"a: [{CANARY}", "\x00"):
        assert error(vault, "set", "orders", "--from", "-", "--yes", stdin=stdin)["message"].startswith(
            "Standard input"
        )
    done = vault.oneiric("config", "set", "orders", "--from", "-", "--yes", stdin=b"\xff")
    assert "Standard input can't be read: it is not UTF-8 text." in done.stderr


def test_warnings_are_shown(vault: Site):
    said = run(vault, "plan", "orders", f"password='{CANARY}2'", ONEIRIC_ADAPTERS__ORDERS__PASSWORD="x")
    assert "! `password` is overridden: ONEIRIC_ADAPTERS__ORDERS__PASSWORD lies above the file." in said
    assert "a reference keeps a secret out" in said
    assert "~ password: another value" in said


def test_a_new_file_where_it_is_named(vault: Site):
    run(vault, "set", "vault", "url=x", "--yes", "--config", "new.yaml")
    assert (vault.work / "new.yaml").read_text() == "adapters:\n  vault:\n    url: x\n"
    assert len(vault.json("config", "history", "--config", "new.yaml")) == 1
    assert vault.json("config", "history") == []
