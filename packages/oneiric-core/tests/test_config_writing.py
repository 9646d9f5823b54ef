"""Replacing a config file: killed at any point, with no room, beside other writers and readers, and never half."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from oneiric import AdapterSettings, AdapterSpec, Catalog, ConfigChanged, ConfigError, ConfigStore
from oneiric.config import apply_plan, durable, history, history_of, plan_change, plan_rollback, writing
from oneiric.config.history import KEPT, History
from oneiric.config.writing import Replacement, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD, NEW, NEXT = (f"adapters:\n  pg:\n    dsn: {name}\n".encode() for name in ("the-old", "the-much-newer", "next"))
FOLLOWED = {writing.__file__, durable.__file__, history.__file__}


class Settings(AdapterSettings):
    dsn: str = "x"


CATALOG = Catalog([AdapterSpec("pg", type="database", summary="S.", adapter="m:C", settings=Settings)])


@pytest.fixture
def fast() -> Iterator[Path]:
    """A folder in memory, where there is such: a kill loses nothing of what was written, be it on a disk or not."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


def put(path: Path, content: bytes | None, timeout: float = 5) -> Any:
    return replace(Replacement(path, current(path), content), timeout)


def current(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def check(path: Path, *allowed: bytes | None) -> None:
    """After whatever happened: the file is one of these, its history is sound, and the next writer leaves nothing behind."""
    found = current(path)
    assert found in allowed, found
    kept = History(path)
    for version in kept.versions():
        assert kept.read(version) in {OLD, NEW, None}, version
    put(path, NEXT)
    contents = [NEXT, *map(kept.read, kept.versions())]
    assert contents[1] == found
    assert all(one != other for one, other in pairwise(contents)), contents
    names = {each.name for each in path.parent.rglob("*")}
    expected = {".oneiric", ".gitignore", f"{path.name}.lock", f"{path.name}.history", path.name}
    assert {name for name in names if not name[:6].isdecimal()} == expected, names


def in_child(action: Callable[[], object]) -> int:
    """Run this in a fork; returns its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:  # noqa: BLE001 - nothing of pytest's may run on in the fork
            traceback.print_exc()
            os._exit(99)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(function: Callable[..., None], *arguments: object) -> str:
    """Run a function of this module in a process of its own, which may fork as it has no threads; returns what it prints."""
    command = command_of(function, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def command_of(function: Callable[..., None], *arguments: object) -> list[str]:
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {Path(__file__).stem} as t; "
    code += f"t.{function.__name__}(*sys.argv[2:])"
    return [sys.executable, "-c", code, str(Path(__file__).parent), *map(str, arguments)]


def killed_at(count: int, action: Callable[[], object]) -> None:
    """Do it, and end this process without a word at the count-th line of ours or call to the system."""
    left = iter(range(count - 1, -1, -1))

    def step() -> None:
        if next(left, None) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def follow(frame: Any, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in FOLLOWED:
            return None
        if event == "line":
            step()
        return follow

    sys.addaudithook(lambda event, _: step() if event.startswith(("os.", "open", "shutil", "fcntl")) else None)
    sys.settrace(follow)
    action()


def kill_everywhere(folder: str, has_history: str, before: str, after: str) -> None:
    """Kill a writer at each point in turn, until one comes to its end."""
    contents = {"old": OLD, "new": NEW, "none": None}
    allowed = contents[before], contents[after]
    code, count = -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        count += 1
        path = Path(folder) / str(count) / "oneiric.yaml"
        path.parent.mkdir()
        if has_history == "yes":
            put(path, NEW if before == "old" else OLD)
        if current(path) != allowed[0]:
            put(path, allowed[0])
        if has_history == "no":
            shutil.rmtree(path.parent / ".oneiric", ignore_errors=True)
        code = in_child(partial(killed_at, count, partial(put, path, allowed[1])))
        check(path, *(allowed if code else allowed[1:]))
        shutil.rmtree(path.parent)
    assert code == 0
    print(count)


@pytest.mark.parametrize(
    ("has_history", "before", "after"),
    [("no", "old", "new"), ("yes", "old", "new"), ("no", "none", "new"), ("yes", "old", "none")],
)
def test_killed_at_any_point_a_writer_leaves_the_old_file_or_the_new(
    has_history: str, before: str, after: str, fast: Path
):
    assert int(run(kill_everywhere, fast, has_history, before, after)) > 150


def kill_from_outside(folder: str) -> None:
    path = Path(folder) / "oneiric.yaml"
    chance = random.Random(7)
    for _ in range(30):
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            while True:
                put(path, NEW)
                os.write(send, b".")
                put(path, OLD)
                os.write(send, b".")
        os.close(send)
        written = 0
        for _ in range(chance.randrange(1, 6)):
            written += len(os.read(receive, 1))
        for _ in range(chance.randrange(20_000)):  # some way into the next one
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert written
        os.close(receive)
        assert current(path) in (OLD, NEW)
        kept = History(path)
        contents = [kept.read(version) for version in kept.versions()]
        assert set(contents) <= {OLD, NEW, NEXT, None}
        put(path, NEXT)
        assert kept.read(kept.versions()[0]) in (OLD, NEW)
    assert {each.name for each in (path.parent / ".oneiric").iterdir()} == {
        ".gitignore",
        "oneiric.yaml.lock",
        "oneiric.yaml.history",
    }


def test_killed_from_outside_too(fast: Path):
    run(kill_from_outside, fast)


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


def failing(path: Path, content: bytes = NEW) -> None:
    """In a child: the change fails with one sentence, and all is as it was."""
    before, names = current(path), {each.name for each in path.parent.rglob("*")}
    with pytest.raises(ConfigError) as caught:
        put(path, content)
    said = str(caught.value)
    assert said.count("\n") == 0, said
    assert str(path) in said, said
    assert current(path) == before
    made = {each.name for each in path.parent.rglob("*")} - names
    assert made <= {".oneiric", ".gitignore", f"{path.name}.lock", f"{path.name}.history"}, made
    print(said, flush=True)


def fill_up_to_a_limit(folder: str) -> None:
    """Let no file grow past a limit, which is reached at each of the writes."""
    for has_history in (False, True):
        for limit in range(len(NEW)):
            path = Path(folder) / f"{limit}{has_history}" / "oneiric.yaml"
            path.parent.mkdir()
            if has_history:
                put(path, NEW)
            put(path, OLD) if has_history else path.write_bytes(OLD)

            def act(path: Path = path, limit: int = limit) -> None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                failing(path)

            assert in_child(act) == 0, limit
            kept = len(History(path).versions())
            put(path, NEW)
            assert len(History(path).versions()) == kept + 1


def test_without_room_for_it_nothing_changes(fast: Path):
    assert "can't be written: File too large. It is as it was." in run(fill_up_to_a_limit, fast)


def fill_a_disk(folder: str) -> None:
    """On a disk of 16 pages: with ever more of them free, until there is room."""
    path, filler = Path(folder) / "oneiric.yaml", Path(folder) / "filler"
    said = ["" for _ in range(10)]
    for free in range(10):
        path.write_bytes(OLD)
        shutil.rmtree(path.parent / ".oneiric", ignore_errors=True)
        filler.write_bytes(bytes((14 - free) * 4096))
        try:
            put(path, NEW)
        except ConfigError as error:
            said[free] = str(error)
        assert current(path) == (OLD if said[free] else NEW)
        names = {each.name for each in path.parent.rglob("*")} - {"filler", "000001.yaml"}
        assert names <= {path.name, ".oneiric", ".gitignore", f"{path.name}.lock", f"{path.name}.history"}
        filler.unlink()
    print("".join(said))
    assert said[0]
    assert not said[-1]


def test_on_a_full_disk_nothing_changes(tmp_path: Path):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("This system lets nobody mount a small disk; the limit of a file's size has been tested instead.")
    mounted = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mounted, str(tmp_path), *command_of(fill_a_disk, tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "can't be written: No space left on device. It is as it was." in done.stdout


def become_nobody() -> None:
    """Give up root's rights, which no folder's mode would stop. Only for a child: there is no way back."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def try_without_rights(folder: str) -> None:
    user = 65534 if os.geteuid() == 0 else os.geteuid()
    path = Path(folder) / "oneiric.yaml"
    path.write_bytes(OLD)
    os.chown(path, user, -1)

    def attempt() -> None:
        become_nobody()
        failing(path)

    for mode, of_the_file in ((0o555, 0o644), (0o755, 0o444)):
        os.chown(folder, user, -1)
        Path(folder).chmod(mode)
        path.chmod(of_the_file)
        assert in_child(attempt) == 0
    path.chmod(0)
    if os.geteuid() == 0:
        path.chmod(0o600)
        os.chown(path, 0, 0)

    def read() -> None:
        become_nobody()
        with pytest.raises(ConfigError) as caught:
            plan_change("pg", {}, CATALOG, path=path, environ={})
        print(caught.value, flush=True)

    assert in_child(read) == 0


def test_without_the_right_to_it_nothing_changes():
    # Not in pytest's folder, into which nobody else may look.
    folder = Path(tempfile.mkdtemp())
    try:
        said = run(try_without_rights, folder).splitlines()
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)
    assert "can't be written: Permission denied. It is as it was." in said[0]
    assert "can't be written: the file is read-only. It is as it was." in said[1]
    assert "can't be read: Permission denied" in said[2]


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
