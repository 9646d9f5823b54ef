"""Writers that are killed, and that find no room or no right: the file is the old one or the new."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from config_writers import CATALOG, NEW, NEXT, OLD, command_of, current, put, run
from oneiric import ConfigError
from oneiric.config import durable, history, plan_change, writing
from oneiric.config.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


FOLLOWED = {writing.__file__, durable.__file__, history.__file__}


@pytest.fixture
def fast() -> Iterator[Path]:
    """A folder in memory, where there is such: a kill loses nothing of what was written, be it on a disk or not."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


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
