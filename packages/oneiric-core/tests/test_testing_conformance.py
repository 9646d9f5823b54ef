"""`oneiric conformance`, against distributions that are installed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Site

PLUGIN = """
from oneiric import AdapterSettings, AdapterSpec, hookimpl
from pydantic import SecretStr

class Settings(AdapterSettings):
    url: str = "nova://here"
    '''Where it is.'''
    token: SecretStr = SecretStr("")
    '''What it asks for.'''

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("nova", type="post", summary="A test's adapter.", adapter="nova_post.adapter:Nova",
                        settings=Settings, example={"url": "nova://example"}, conformance=CONFORMANCE)]
"""
ADAPTER = """
from oneiric import Adapter, Health
from nova import Settings

class Nova(Adapter):
    settings_class = Settings
    is_open = False

    async def init(self):
        open("it-was-here", "w").close()
        self.is_open = True

    async def health(self):
        return Health(self.is_open)

    async def cleanup(self):
        self.is_open = False
"""
SUITE = """
import pytest
from oneiric.testing import AdapterSuite, xfail

class NovaSuite(AdapterSuite):
    adapter_name = "nova"

    @pytest.fixture
    def config(self):
        return {"url": "nova://suite"}
"""


@pytest.fixture
def install(site: Site) -> Any:
    """Install the distribution, with this adapter and suite."""

    def install(adapter: str = ADAPTER, suite: str | None = None) -> None:
        named = None if suite is None else "nova_post.suite:NovaSuite"
        modules = {"nova_post/__init__.py": "", "nova_post/adapter.py": adapter, "nova_post/suite.py": suite or ""}
        site.install("nova", PLUGIN.replace("CONFORMANCE", repr(named)), modules=modules)

    return install


def failed(passport: dict[str, Any]) -> dict[str, str]:
    return {case["test"]: case["reason"] for case in passport["failures"]}


def test_a_right_adapter_is_conformant_on_its_example_and_leaves_nothing_where_one_stands(site: Site, install: Any):
    install()
    done = site.oneiric("conformance", "nova", "--json", PYTEST_ADDOPTS="-k nothing --collect-only")
    passport = json.loads(done.stdout)
    assert (done.returncode, passport["failures"], passport["conformant"]) == (0, [], True), done.stderr
    assert passport["tests"]["passed"] > 20
    assert (passport["distribution"], passport["version"], passport["suite_level"]) == ("nova", "1.0", 1)
    assert passport["suite"] == "oneiric.testing.suite:AdapterSuite"
    assert all(case["reason"] for case in passport["skips"])
    assert " tests …" in done.stderr
    assert list(site.work.iterdir()) == []


def test_a_wrong_adapter_is_not_and_no_secret_is_shown(site: Site, install: Any):
    install(
        ADAPTER.replace(
            "return Health(self.is_open)",
            "raise ValueError(self.settings.token.get_secret_value(), self.settings.url)",
        )
    )
    config = {"token": {"$env": "TOKEN"}, "url": {"$env": "URL"}}
    done = site.oneiric(
        "conformance", "nova", "--config", json.dumps(config), "--json", TOKEN="hunter2", URL="nova-secret"
    )
    passport = json.loads(done.stdout)
    assert (done.returncode, passport["conformant"]) == (1, False)
    assert "health() raised ValueError" in failed(passport)["test_health_is_no_before_init_and_after_cleanup"]
    assert "FAILED test_health_is_no_before_init_and_after_cleanup" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert "nova-secret" not in done.stdout + done.stderr
    shown = site.oneiric("conformance", "nova", "--config", '{"token": "hunter2"}')
    assert shown.returncode == 1
    assert "It is NOT conformant." in shown.stdout
    failures = shown.stdout.partition("\nFailed\n")[2].partition("\nSkipped\n")[0].splitlines()
    reasons = [line for line in failures if line.startswith("  ") and line[2] != " "]
    assert len(reasons) == len({*reasons}) > 1, "each reason is said once"
    assert all(line.startswith(("    test_", "    and ")) for line in failures if line.strip() and line not in reasons)
    assert "hunter2" not in shown.stdout + shown.stderr


def test_the_suite_of_the_author_is_run_with_its_config_and_excuses(site: Site, install: Any):
    excuse = "    @xfail(reason='by design')\n    def test_cleanup_a_second_time_does_nothing(self): ...\n"
    careless = ADAPTER.replace(
        "        self.is_open = False\n", "        assert self.is_open\n        self.is_open = False\n"
    )
    install(careless, SUITE + excuse)
    passport = site.json("conformance", "nova", code=1)
    assert passport["suite"] == "nova_post.suite:NovaSuite"
    assert passport["xfails"] == [{"test": "test_cleanup_a_second_time_does_nothing", "reason": "by design"}]
    assert "test_cleanup_without_init_does_nothing" in failed(passport)


@pytest.mark.parametrize(
    ("addition", "said"),
    [
        (
            "    @pytest.fixture(autouse=True)\n    def no(self): pytest.skip('not today')\n",
            "skipped, and not by the kit",
        ),
        ("    __test__ = False\n", "There was no test."),
        ("    def test_cleanup_a_second_time_does_nothing(self): ...\n", "replaces `test_cleanup_a_second_time"),
        ("    @xfail(reason='x')\n    def test_cleanup_a_second_time_does_nothing(self): ...\n", "[XPASS(strict)] x"),
        (
            "    @xfail(reason='x', only='y')\n    def test_cleanup_a_second_time_does_nothing(self): ...\n",
            "is excused, and has no such case",
        ),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("class NovaSuite: ...\n", "is no suite of the conformance kit"),
        ("    import os, threading; threading.Timer(0.1, os._exit, [3]).start()\n", "ended with exit code 3"),
        ("    import sys; sys.exit(4)\n", "The suite can't be had: SystemExit: 4"),
    ],
)
def test_a_suite_that_does_not_hold_the_adapter_to_the_kit_gives_no_passport(
    site: Site, install: Any, addition: str, said: str
):
    install(suite=SUITE + addition)
    passport = site.json("conformance", "nova", code=1)
    assert not passport["conformant"]
    assert said in " ".join(failed(passport).values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such"], "There is no adapter 'no-such'"),
        (["nova", "--config", "{"], "The config is not JSON"),
        (["nova", "--config", '{"ulr": "x"}'], "`url`"),
        (["nova", "--write"], "its package is not installed from its source"),
    ],
)
def test_what_can_not_be_run_is_said_before_anything_is(site: Site, install: Any, arguments: list[str], said: str):
    install()
    done = site.oneiric("conformance", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert " tests …" not in done.stderr


def test_a_passport_is_written_into_the_source_and_shown_until_the_version_changes(site: Site, install: Any):
    install()
    site.write({"nova-1.0.dist-info/direct_url.json": '{"url": "file:///nova", "dir_info": {"editable": true}}'})
    passport = site.json("conformance", "nova", "--write")
    assert json.loads((site.folder / "nova_post/passports/nova.json").read_text()) == passport
    info = site.json("info", "nova")
    assert (info["passport"], info["passport_problem"]) == (passport, None)
    assert "conformant with level 1 of the kit" in site.oneiric("info", "nova").stdout

    site.write({"nova-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: nova\nVersion: 1.1\n\n"})
    assert "is of version 1.0, and 1.1 is installed" in site.json("info", "nova")["passport_problem"]


def test_the_passport_of_what_is_not_conformant_is_not_written(site: Site, install: Any):
    install(ADAPTER.replace("return Health(self.is_open)", "return True"))
    site.write({"nova-1.0.dist-info/direct_url.json": '{"dir_info": {"editable": true}}'})
    site.json("conformance", "nova", "--write", code=1)
    assert not (site.folder / "nova_post/passports").exists()


@pytest.mark.parametrize(
    ("imports", "said"),
    [
        ("import novadb", "Importing nova imports novadb."),
        ("import nova_post.adapter", "The plugin imports `nova_post.adapter`"),
        ("import pydantic, packaging", "None"),
    ],
)
def test_a_plugin_that_imports_its_driver_is_told_so(site: Site, install: Any, imports: str, said: str):
    install("from oneiric.testing.memory.queue import MemoryQueue as Nova")
    site.install("novadb", entry_points="")
    site.write(
        {
            "novadb-1.0.dist-info/top_level.txt": "novadb\n",
            "nova-1.0.dist-info/METADATA": "Name: nova\nVersion: 1.0\nRequires-Dist: novadb>=1\nRequires-Dist: pydantic\n\n",
            "nova.py": f"{imports}\n{PLUGIN.replace('CONFORMANCE', 'None')}",
        }
    )
    passport = site.json("conformance", "nova", code=1)
    assert passport["drivers"] == {"novadb": "1.0"}
    reason = failed(passport).get("test_importing_the_plugin_and_its_settings_imports_no_driver")
    assert str(reason).startswith(said)


HANGS = """
import asyncio, fcntl, os
from oneiric import Adapter
from nova import Settings

LOCK = open(os.environ["LOCK"], "w")

class Nova(Adapter):
    settings_class = Settings

    async def init(self):
        fcntl.flock(LOCK, fcntl.LOCK_EX)
        LOCK.write("here")
        LOCK.flush()
        await asyncio.sleep(1e6)

    async def health(self):
        return False

    async def cleanup(self):
        pass
"""


def test_a_run_ends_with_the_command_even_where_that_is_killed(site: Site, install: Any, tmp_path: Path):
    install(HANGS)
    lock = tmp_path / "lock"
    environment = {**os.environ, "PYTHONPATH": str(site.folder), "LOCK": str(lock)}
    command = [sys.executable, "-m", "oneiric", "conformance", "nova"]
    with subprocess.Popen(command, cwd=site.work, env=environment, stderr=subprocess.DEVNULL) as parent:
        wait_until(lambda: lock.exists() and lock.read_text() == "here")
        parent.kill()
    with lock.open() as file:
        wait_until(lambda: is_locked_now(file))


def is_locked_now(file: IO[str]) -> bool:
    """Take the lock, which the run holds for as long as it lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
