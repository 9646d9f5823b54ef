"""Replacing a config file: beside other writers and readers, with its mode, its owner and its history, and never half."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from config_writers import CATALOG, NEW, NEXT, OLD, current, put, run
from filelock import FileLock
from oneiric import ConfigChanged, ConfigError, ConfigStore
from oneiric.config import apply_plan, history_of, plan_change, plan_rollback, writing
from oneiric.config.history import KEPT, History
from oneiric.config.writing import Replacement, replace


def write_own_key(path: str, name: str, count: str) -> None:
    """Change an instance of one's own again and again; print the numbers of the versions that were kept."""
    for number in range(int(count)):
        while True:
            plan = plan_change(name, {"adapter": "pg", "dsn": f"{name}-{number}"}, CATALOG, path=path, environ={})
            try:
                version = apply_plan(plan, timeout=60)
            except ConfigChanged:
                continue
            assert version is not None
            print(version.number)
            break


def test_of_several_writers_each_is_told_the_truth(tmp_path: Path):
    path = tmp_path / "oneiric.yaml"
    outputs: list[str] = []
    writers = [
        threading.Thread(target=lambda name=name: outputs.append(run(write_own_key, path, name, 8))) for name in "abc"
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=100)
    numbers = [int(line) for output in outputs for line in output.split()]
    assert sorted(numbers) == list(range(1, 25))
    assert {name: it.values["dsn"] for name, it in ConfigStore.load(path, environ={}).items()} == {
        name: f"{name}-7" for name in "abc"
    }


def test_a_reader_never_sees_half_a_file(tmp_path: Path):
    path = tmp_path / "oneiric.yaml"
    contents = [b"adapters: {}\n#" + letter * size for letter, size in ((b"a", 10), (b"b", 100_000))]
    path.write_bytes(contents[0])
    done = threading.Event()

    def write() -> None:
        try:
            for number in range(1, 201):
                put(path, contents[number % 2], 30)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        found = path.read_bytes()
        assert found in contents
        seen.add(len(found))
    writer.join()
    assert len(seen) == 2
    assert len(History(path).versions()) == KEPT
    assert History(path).versions()[0].number == 200


def hold_the_lock(path: str) -> None:
    def wait(*_: object) -> None:
        print("locked", os.getpid(), flush=True)
        sys.stdin.read()

    writing._replace = wait
    put(Path(path), NEW)


def test_who_waits_too_long_for_another_writer_is_told_for_whom(tmp_path: Path):
    path = tmp_path / "oneiric.yaml"
    path.write_bytes(OLD)
    code = (
        f"import sys; sys.path.insert(0, sys.argv[1]); import {Path(__file__).stem} as t; t.hold_the_lock(sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        _, pid = holder.stdout.readline().split()
        with pytest.raises(
            ConfigError, match=rf"being written by process {pid}, for more than 0.1 s. Try again"
        ) as caught:
            put(path, NEW, 0.1)
        assert not isinstance(caught.value, ConfigChanged)
        assert current(path) == OLD
        holder.kill()
    put(path, NEW)
    assert current(path) == NEW


def test_who_waits_for_another_writer_is_told_that_the_file_has_changed(tmp_path: Path):
    path = tmp_path / "oneiric.yaml"
    put(path, OLD)
    told = []

    def write() -> None:
        try:
            replace(Replacement(path, OLD, NEXT), 30)
        except ConfigChanged as error:
            told.append(error)

    with FileLock(path.parent / ".oneiric" / "oneiric.yaml.lock"):
        writer = threading.Thread(target=write)
        writer.start()
        path.write_bytes(NEW)
    writer.join(30)
    assert len(told) == 1
    assert current(path) == NEW


def test_mode_and_owner_stay_and_a_new_file_is_its_owner_s_alone(tmp_path: Path):
    path = tmp_path / "oneiric.yaml"
    put(path, OLD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    before = path.stat()
    put(path, NEW)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    folder = tmp_path / ".oneiric" / "oneiric.yaml.history"
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (tmp_path / ".oneiric" / ".gitignore").read_text() == "*\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can write into another's folder and give the files away.")
def test_what_root_writes_belongs_to_whom_the_folder_belongs(tmp_path: Path):
    folder = tmp_path / "app"
    folder.mkdir()
    os.chown(folder, 1234, 4321)
    put(folder / "oneiric.yaml", OLD)
    put(folder / "oneiric.yaml", NEW)
    assert {each.stat().st_uid for each in folder.rglob("*")} == {1234}


def test_a_link_is_followed_and_stays(tmp_path: Path):
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link" / "oneiric.yaml"
    link.parent.mkdir()
    link.symlink_to(real / "config.yaml")
    put(link, OLD)
    put(link, NEW)
    assert link.is_symlink()
    assert (real / "config.yaml").read_bytes() == NEW
    assert {each.name for each in link.parent.iterdir()} == {"oneiric.yaml"}
    assert len(history_of(link)) == len(history_of(real / "config.yaml")) == 2
    change = Replacement(link, NEW, OLD)
    (real / "other.yaml").write_bytes(NEW)
    link.unlink()
    link.symlink_to(real / "other.yaml")
    with pytest.raises(ConfigChanged):
        replace(change, 1)
    assert (real / "other.yaml").read_bytes() == (real / "config.yaml").read_bytes() == NEW


def test_what_is_no_file_is_not_replaced(tmp_path: Path):
    for make in (Path.mkdir, os.mkfifo):
        path = tmp_path / "x" / "oneiric.yaml"
        path.parent.mkdir()
        make(path)
        with pytest.raises(ConfigError, match=r"Is a directory|not a regular file"):
            plan_change("pg", {}, CATALOG, path=path, environ={})
        with pytest.raises(ConfigError, match=r"Is a directory|not a regular file"):
            replace(Replacement(path, OLD, NEW), 1)
        with pytest.raises(ConfigError):
            replace(Replacement(path, None, NEW), 1)
        assert not path.is_file()
        shutil.rmtree(path.parent)
    missing = tmp_path / "no" / "oneiric.yaml"
    with pytest.raises(ConfigError, match=r"oneiric.yaml can't be written: No such file or directory"):
        put(missing, NEW)
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    with pytest.raises(ConfigError, match="Too many levels of symbolic links"):
        plan_change("pg", {}, CATALOG, path=loop, environ={})
    (tmp_path / ".oneiric").write_text("mine")
    with pytest.raises(ConfigError, match="can't be written: Not a directory"):
        put(tmp_path / "oneiric.yaml", NEW)
    with pytest.raises(ConfigError, match="can't be read: Not a directory"):
        history_of(tmp_path / "oneiric.yaml")


def test_what_else_is_in_the_history_is_left_alone(tmp_path: Path):
    path = tmp_path / "oneiric.yaml"
    put(path, OLD)
    folder = tmp_path / ".oneiric" / "oneiric.yaml.history"
    for name in ("note.txt", "new", "x.yaml", "²³.yaml"):
        (folder / name).write_text("mine")
    put(path, NEW)
    assert [version.number for version in history_of(path)] == [2, 1]
    assert (folder / "x.yaml").exists()


def test_the_same_bytes_come_back(tmp_path: Path):
    path = tmp_path / "oneiric.yaml"
    for number, text in enumerate(
        (
            "\ufeff# é\r\nadapters:\r\n  pg: # x\r\n\r\n# end",
            "adapters:\n  pg:\n    dsn: 'x'   # y\n\n\n",
            "{adapters: {pg: {dsn: x}}}",
            "",
        )
    ):
        path.write_bytes(text.encode())
        path.chmod(0o604)
        apply_plan(plan_change("pg", {"dsn": f"z{number}"}, CATALOG, path=path, environ={}))
        assert path.read_bytes() != text.encode()
        apply_plan(plan_rollback(CATALOG, path=path, environ={}))
        assert path.read_bytes() == text.encode()
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
        os.utime(path, (time.time() - 100, time.time() - 100))
        before = path.stat().st_mtime
        apply_plan(plan_rollback(CATALOG, path=path, environ={}))
        assert path.stat().st_mtime > before  # who watches the file is to see it
