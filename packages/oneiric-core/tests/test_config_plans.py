"""Plans of changes: what they say, what they refuse, and that they are applied to what they were made from alone."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from oneiric import AdapterSettings, AdapterSpec, Catalog, ConfigChanged, ConfigError, ConfigStore
from oneiric.config import ConfigPlan, PlannedChange, apply_plan, history_of, plan_change, plan_rollback
from oneiric.config.history import History
from oneiric.config.writing import Replacement, replace
from oneiric.config.yaml_file import MAX_FILE_SIZE
from oneiric.masking import MASK
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticSerializationError, to_json

CANARY = "hunter2-canary"
FILE = Path("oneiric.yaml")


class Pool(BaseModel):
    size: int = 4
    key: SecretStr | None = None


class Settings(AdapterSettings):
    dsn: str = "x"
    password: SecretStr | None = None
    pool: Pool = Pool()
    hosts: list[str] = []


class Other(AdapterSettings):
    url: str
    password: str = ""
    pool: dict[str, str] = {}


CATALOG = Catalog(
    [
        AdapterSpec("pg", type="database", summary="S.", adapter="m:C", settings=Settings),
        AdapterSpec("other", type="database", summary="S.", adapter="m:C", settings=Other),
    ]
)
START = f"""\
# ours
adapters:
  pg: # the first
    dsn: postgresql://app:{CANARY}@db/x
    password: {CANARY}
    pool: {{size: 1}}   # small
"""


def plan(changes: Any, name: str = "pg", **environ: str) -> ConfigPlan:
    return plan_change(name, changes, CATALOG, environ=environ)


def back(version: int | None = None, **environ: str) -> ConfigPlan:
    return plan_rollback(CATALOG, version, environ=environ)


def refused(changes: Any, name: str = "pg", **environ: str) -> str:
    """The error, of which no part shows a value, and after which nothing is written."""
    before = sorted(Path.cwd().rglob("*"))
    with pytest.raises(ConfigError) as caught:
        plan(changes, name, **environ)
    assert sorted(Path.cwd().rglob("*")) == before
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.fixture
def _file() -> None:
    FILE.write_text(START)


@pytest.mark.usefixtures("_file")
def test_a_plan_tells_each_value_before_and_after_and_no_secret():
    made = plan({"password": {"$env": "PW"}, "pool": {"size": 2, "key": CANARY}, "dsn": f"postgresql://u:{CANARY}1@h"})
    assert made.changes == (
        PlannedChange("dsn", f"postgresql://app:{MASK}@db/x", f"postgresql://u:{MASK}@h"),
        PlannedChange("password", MASK, {"$env": "PW"}),
        PlannedChange("pool.size", 1, 2),
        PlannedChange("pool.key", None, MASK),
    )
    assert CANARY not in repr(made) + str(made) + str(asdict(made))
    assert CANARY not in repr(made.replacement)
    with pytest.raises(PydanticSerializationError):  # rather than to show what is in the file
        to_json(made)
    assert FILE.read_text() == START


@pytest.mark.usefixtures("_file")
def test_applied_a_plan_changes_what_it_said_and_nothing_else():
    version = apply_plan(plan({"dsn": "y", "password": None, "hosts": ["a"]}))
    assert version is not None
    assert FILE.read_text() == (
        "# ours\nadapters:\n  pg: # the first\n    dsn: y\n    pool: {size: 1}   # small\n    hosts: [a]\n"
    )
    (kept,) = history_of(environ={})
    assert (kept.number, kept.size, kept) == (1, len(START), version)


@pytest.mark.usefixtures("_file")
def test_the_hash_is_the_same_in_another_process_and_another_for_any_other_change():
    made = plan({"dsn": "y"})
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_config_plans as t; print(t.plan({'dsn': 'y'}).hash)"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip() == made.hash
    others = [plan({"dsn": "z"}), plan({"dsn": "y", "hosts": ["a"]}), plan(None)]
    Path("other.yaml").write_text(START)
    others.append(plan_change("pg", {"dsn": "y"}, CATALOG, path="other.yaml", environ={}))
    FILE.write_text(START + "# more\n")
    others.append(plan({"dsn": "y"}))
    FILE.unlink()
    others.append(plan({"dsn": "y"}))
    assert len({each.hash for each in (made, *others)}) == 7


@pytest.mark.usefixtures("_file")
def test_a_plan_of_a_file_that_has_changed_is_refused():
    made = plan({"dsn": "y"})
    for change in (lambda: FILE.write_text(START + "\n"), FILE.unlink, lambda: FILE.write_text("")):
        change()
        before = FILE.read_text() if FILE.exists() else None
        with pytest.raises(ConfigChanged):
            apply_plan(made)
        assert (FILE.read_text() if FILE.exists() else None) == before
    assert history_of(environ={}) == []
    FILE.write_text(START)
    apply_plan(made)
    with pytest.raises(ConfigChanged):
        apply_plan(made)


def test_a_file_that_appeared_meanwhile_is_not_overwritten():
    made = plan({"dsn": "y"})
    FILE.write_text("")
    with pytest.raises(ConfigChanged):
        apply_plan(made)
    assert FILE.read_text() == ""


def test_a_new_instance_and_a_new_file():
    apply_plan(plan({"adapter": "pg", "password": {"$env": "PW"}, "pool": {"size": 2}}, "orders"))
    assert FILE.read_text() == (
        "adapters:\n  orders:\n    adapter: pg\n    password: {$env: PW}\n    pool:\n      size: 2\n"
    )
    assert ConfigStore.load(environ={})["orders"].adapter == "pg"
    assert [version.size for version in history_of(environ={})] == [None]


def test_an_instance_without_settings_is_a_change_too():
    made = plan({})
    assert made.changes == (PlannedChange("", None, {}),)
    apply_plan(made)
    assert FILE.read_text() == "adapters:\n  pg: {}\n"
    assert plan(None).changes == (PlannedChange("", {}, None),)


def test_the_file_that_a_variable_or_the_caller_names_is_made(tmp_path: Path):
    apply_plan(plan({}, ONEIRIC_CONFIG=str(tmp_path / "a.yaml")))
    apply_plan(plan_change("pg", {}, CATALOG, path=tmp_path / "b.yaml", environ={}))
    assert (tmp_path / "a.yaml").read_text() == (tmp_path / "b.yaml").read_text() == "adapters:\n  pg: {}\n"
    assert [len(history_of(tmp_path / name)) for name in ("a.yaml", "b.yaml")] == [1, 1]


@pytest.mark.usefixtures("_file")
def test_the_whole_instance_must_be_right_with_all_layers():
    assert "`hosts`: input should be a valid list" in refused({"hosts": CANARY})
    problems = refused({"hosts": CANARY, "pasword": CANARY, "pool": {"size": "x", "kye": CANARY}})
    assert problems.count("\n  - ") == 3
    assert "Did you mean `password`?" in problems
    assert "`$vault` is no scheme" in refused({"password": {"$vault": "x"}})
    in_file = {"adapter": "other", "dsn": None, "pool": None, "password": None}
    assert "`url` is required" in refused(in_file)
    assert plan(in_file, ONEIRIC_ADAPTERS__PG__URL="x").changes
    assert "There is no adapter 'nothing'" in refused({"adapter": "nothing"})
    assert "Say which it is: `adapter: …`" in refused({"dsn": "x"}, "orders")
    assert "pool.size" in refused({"dsn": "y"}, ONEIRIC_ADAPTERS__PG__POOL__SIZE="x")


def test_another_instance_s_problems_are_its_own():
    FILE.write_text("adapters:\n  pg:\n  broken:\n    adapter: nothing\n    pasword: x\n")
    apply_plan(plan({"dsn": "y"}))
    assert FILE.read_text() == "adapters:\n  pg:\n    dsn: y\n  broken:\n    adapter: nothing\n    pasword: x\n"


def test_what_is_broken_can_be_mended_and_removed():
    FILE.write_text(f"adapters:\n  pg: {CANARY}\n  more: [1]\n  gone:\n    adapter: nothing\n    token: {CANARY}\n")
    removal = plan(None, "gone")
    assert removal.changes == (PlannedChange("adapter", "nothing", None), PlannedChange("token", MASK, None))
    apply_plan(removal)
    apply_plan(plan(None, "more"))
    apply_plan(plan({"dsn": "y"}))
    assert FILE.read_text() == "adapters:\n  pg:\n    dsn: y\n"


@pytest.mark.usefixtures("_file")
def test_a_secret_does_not_come_to_light_by_another_adapter():
    change = {"adapter": "other", "url": "x", "dsn": None, "pool": None}
    assert "`password` is a secret, and would be none with this adapter" in refused(change)
    assert plan({**change, "password": "y"}).changes
    assert plan({**change, "password": None}).changes
    FILE.write_text(f"adapters:\n  pg:\n    pool:\n      key: {CANARY}\n")
    assert "`pool` is a secret" in refused({"adapter": "other", "url": "x"})
    assert plan({"adapter": "other", "url": "x", "pool": {"key": "y"}}).changes
    FILE.write_text("adapters:\n  pg:\n    password: {$env: PW}\n")
    assert plan({"adapter": "other", "url": "x"}).changes


@pytest.mark.usefixtures("_file")
def test_what_is_shown_in_place_of_a_secret_is_never_written():
    for changes in (
        {"password": MASK},
        {"dsn": f"postgresql://app:{MASK}@db/x"},
        {"hosts": ["a", MASK]},
        {"pool": {"key": MASK}},
        {"password": {"$env": MASK}},
        {MASK: 1},
    ):
        assert "Leave the key out to keep what is there." in refused(changes)


@pytest.mark.usefixtures("_file")
def test_what_can_not_be_written_is_refused():
    circle: dict[str, Any] = {}
    circle["dsn"] = circle
    half = "\ud800"
    for changes in (circle, {"dsn": half}, {"dsn": {1, 2}}, {"dsn": b"x"}, {"a\nb": 1}, {"dsn": ("x",)}, {1.5: 2}, [1]):
        assert "YAML has no" in (said := refused(changes)) or "can't be written" in said or "a mapping" in said
    assert "too large" in refused({"dsn": "x" * MAX_FILE_SIZE})
    assert "too large a number" in refused({"dsn": 10**5000})
    for name in ("", " ", "a\nb", "x" * 101):
        assert "instance's name" in refused({}, name)


def test_a_file_that_would_grow_past_what_is_read_is_not_written():
    FILE.write_text("adapters:\n  pg: {}\n#" + "x" * (MAX_FILE_SIZE - 36))
    assert "would be larger than" in refused({"dsn": "xxxxxxxxxx"})
    assert plan({"dsn": ""}).changes


def test_what_can_not_be_edited_is_refused_with_the_line():
    FILE.write_text("adapters:\n  a: &a {adapter: pg}\n  pg:\n    <<: *a\n    adapter: pg\n    dsn: x\n")
    assert refused({"dsn": "y", "adapter": None}).startswith("oneiric.yaml line 3 can't be changed")
    FILE.write_text(f"adapters:\n  a: &a\n    adapter: pg\n    dsn: {CANARY}\n  pg: *a\n")
    assert refused({"dsn": "x"}).startswith("oneiric.yaml line 5 can't be changed")
    assert refused({"dsn": "x"}, "a").startswith("oneiric.yaml line 2 can't be changed")
    assert refused({"dsn": "x"}, "a").endswith("Edit the file by hand.")


def test_a_file_that_can_not_be_read_is_not_changed(tmp_path: Path):
    for text in ("adapters: [", "- a", "adapters: {pg: {dsn: 1, dsn: 2}}"):
        FILE.write_text(text)
        assert "oneiric.yaml" in refused({})
    for adapters in ("[1]", "[]", "x", "0"):
        FILE.write_text(f"adapters: {adapters}\n")
        assert "`adapters` should be a mapping" in refused({})
        assert "`adapters` should be a mapping" in refused(None)
    FILE.write_bytes(b"#" * (4 * MAX_FILE_SIZE + 1))
    assert "too large" in refused({})
    with pytest.raises(ConfigError, match="too large"):  # or a part of it would be all that is kept
        replace(Replacement(FILE, FILE.read_bytes(), b""), 1)
    FILE.unlink()
    FILE.mkdir()
    assert "Is a directory" in refused({}, ONEIRIC_CONFIG="oneiric.yaml")


@pytest.mark.usefixtures("_file")
def test_a_plan_warns_of_what_it_does_not_do():
    above = plan(
        {"dsn": "y", "pool": {"size": 3}}, ONEIRIC_ADAPTERS__PG__DSN="z", ONEIRIC_ADAPTERS__PG__POOL='{"size": 9}'
    )
    assert above.warnings == (
        "`dsn` is overridden: ONEIRIC_ADAPTERS__PG__DSN lies above the file.",
        "`pool.size` is overridden: ONEIRIC_ADAPTERS__PG__POOL lies above the file.",
    )
    removed = plan({"dsn": None}, ONEIRIC_ADAPTERS__PG__DSN="z")
    assert removed.warnings == ("`dsn` keeps a value: ONEIRIC_ADAPTERS__PG__DSN lies above the file.",)
    assert plan(None, ONEIRIC_ADAPTERS__PG__DSN="z").warnings[0].startswith("`pg` is still configured, above the file")
    Path(".env").write_text("ONEIRIC_ADAPTERS__PG__DSN=z\n")
    assert "ONEIRIC_ADAPTERS__PG__DSN lies above" in plan({"dsn": "y"}).warnings[0]


@pytest.mark.usefixtures("_file")
def test_a_plan_warns_of_secrets_in_the_file_and_of_names_like_others():
    for changes in ({"password": CANARY + "2"}, {"pool": {"key": CANARY}}, {"dsn": f"postgresql://a:{CANARY}@b"}):
        (warning,) = plan(changes).warnings
        assert "a reference keeps a secret out" in warning
    assert plan({"password": {"$env": "PW"}}).warnings == ()
    assert plan({"adapter": "pg"}, "pgs").warnings == ("`pgs` is a new instance; there is `pg` already.",)


@pytest.mark.usefixtures("_file")
def test_what_changes_nothing_is_said_and_writes_nothing():
    for changes, name in (
        ({"password": CANARY, "pool": {"size": 1}}, "pg"),
        ({"hosts": None}, "pg"),
        (None, "x"),
        ({}, "pg"),
    ):
        made = plan(changes, name)
        assert (made.changes, made.warnings) == ((), ("Nothing changes: the file says so already.",))
        assert apply_plan(made) is None
    assert FILE.read_text() == START
    assert history_of(environ={}) == []


@pytest.mark.usefixtures("_file")
def test_a_rollback_is_a_change_like_any_other():
    apply_plan(plan({"dsn": "y"}))
    second = FILE.read_text()
    apply_plan(plan({"password": None}))
    third = FILE.read_text()
    made = back()
    assert (made.instance, made.changes, made.warnings) == (None, (PlannedChange("pg.password", None, MASK),), ())
    assert made.hash == back(2).hash
    apply_plan(made)
    assert FILE.read_text() == second
    apply_plan(back())
    assert FILE.read_text() == third
    apply_plan(back(1))
    assert FILE.read_text() == START
    assert [version.number for version in history_of(environ={})] == [5, 4, 3, 2, 1]
    with pytest.raises(ConfigChanged):
        apply_plan(made)


@pytest.mark.usefixtures("_file")
def test_what_a_killed_writer_kept_is_no_earlier_version():
    apply_plan(plan({"dsn": "y"}))
    History(FILE.absolute()).keep(FILE.read_bytes())  # killed here, before it replaced the file
    apply_plan(back())
    assert FILE.read_text() == START
    assert [version.number for version in history_of(environ={})] == [2, 1]


def test_a_rollback_to_no_file_removes_it():
    apply_plan(plan({"dsn": "y"}))
    made = back()
    assert made.changes == (PlannedChange("pg.dsn", "y", None),)
    apply_plan(made)
    assert not FILE.exists()
    apply_plan(back())
    assert FILE.read_text() == "adapters:\n  pg:\n    dsn: y\n"


def test_what_is_wrong_by_now_can_be_rolled_back_to_and_warns():
    for text in (f"adapters:\n  pg:\n    pasword: {CANARY}\n", f"adapters: [{CANARY}\n", f"adapters:\n  x: {CANARY}\n"):
        FILE.write_text(text)
        number = _keep()
        made = back(number)
        assert made.warnings
        assert CANARY not in repr(made)
        apply_plan(made)
        assert FILE.read_text() == text


def _keep() -> int:
    """Keep what is in the file as a version, and put something valid there."""
    version = replace(Replacement(FILE, FILE.read_bytes(), b"adapters:\n  pg: {}\n"), 1)
    assert version is not None
    return version.number


def test_a_version_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"No earlier version of oneiric.yaml is kept"):
        back()
    for dsn in "ab":
        apply_plan(plan({"dsn": dsn}))
    with pytest.raises(ConfigError, match=r"No version 7 of oneiric.yaml is kept. There are 1 to 2."):
        back(7)


def test_a_plan_of_json_is_a_plan(tmp_path: Path):
    FILE.write_text(json.dumps({"adapters": {"pg": {"dsn": "x", "hosts": ["a"]}}}, indent=2))
    apply_plan(plan({"hosts": ["b", "c"]}))
    assert ConfigStore.load(environ={})["pg"].values == {"dsn": "x", "hosts": ["b", "c"]}
