"""`oneiric test`, `oneiric health` and `oneiric doctor`, as processes of their own."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Site

PLUGIN = """
from oneiric import AdapterSettings, AdapterSpec, Endpoint, Targets, hookimpl
from pydantic import SecretStr

class Settings(AdapterSettings):
    does: str = "works"
    host: str = ""
    port: int = 1
    password: SecretStr = SecretStr("")

    def targets(self):
        return Targets((Endpoint(self.host, self.port),) if self.host else ())

@hookimpl
def oneiric_adapters():
    return [AdapterSpec("nova", type="database", summary="A.", adapter="nova_adapter:Adapter", settings=Settings)]
"""
ADAPTER = """
import asyncio, threading
import nova
from oneiric import AuthenticationFailed, Health
from oneiric.adapters import base

class Adapter(base.Adapter):
    settings_class = nova.Settings
    async def init(self):
        print("noise")
        if self.settings.does == "hangs":
            await asyncio.Event().wait()
        if self.settings.does == "hangs in a thread":
            await asyncio.to_thread(threading.Event().wait)
        if self.settings.does == "is refused":
            raise AuthenticationFailed(f"No: {self.settings.password.get_secret_value()}", hint="Ask.")
    async def health(self):
        return Health(self.settings.does != "is ill", "The disk is full." if self.settings.does == "is ill" else "")
    async def cleanup(self): pass
"""


@pytest.fixture
def nova(site: Site) -> Site:
    site.install("nova", PLUGIN, modules={"nova_adapter.py": ADAPTER})
    return site


def configure(site: Site, **instances: dict[str, Any]) -> None:
    values = {name: {"adapter": "nova", **settings} for name, settings in instances.items()}
    (site.work / "oneiric.yaml").write_text(json.dumps({"adapters": values}), encoding="utf-8")


def findings(diagnosis: dict[str, Any], section: str, subject: str) -> list[dict[str, Any]]:
    return [each for each in diagnosis["findings"] if (each["section"], each["subject"]) == (section, subject)]


class TestTest:
    def test_one_that_works(self, nova: Site):
        with socket.create_server(("127.0.0.1", 0)) as server:
            configure(nova, orders={"host": "127.0.0.1", "port": server.getsockname()[1]})
            done = nova.oneiric("test", "orders")
            answer = nova.json("test", "orders")
        assert done.returncode == 0
        assert "orders answers" in done.stdout
        for stage in ("resolve", "connect", "tls", "authenticate", "ping"):
            assert stage in done.stdout
        assert [stage["status"] for stage in answer["stages"]] == ["passed", "passed", "skipped", "passed", "passed"]
        assert answer["success"] is True

    def test_one_that_does_not_says_what_to_do_and_exits_with_1(self, nova: Site):
        configure(nova, orders={"does": "is refused", "password": {"$env": "PASSWORD"}})
        done = nova.oneiric("test", "orders", PASSWORD="hunter2")
        assert done.returncode == 1
        assert "✗ AuthenticationFailed: No: **********" in done.stdout
        assert "→ Ask." in done.stdout
        answer = nova.json("test", "orders", code=1, PASSWORD="hunter2")
        assert (answer["error_class"], answer["next_step"]) == ("AuthenticationFailed", "Ask.")

    def test_one_that_hangs_ends_at_its_deadline(self, nova: Site):
        configure(nova, orders={"does": "hangs"})
        answer = nova.json("test", "orders", "--timeout", "0.2", code=1)
        assert answer["error_class"] == "DeadlineExceeded"

    def test_a_thread_that_hangs_keeps_neither_the_answer_nor_the_end(self, nova: Site):
        configure(nova, orders={"does": "hangs in a thread"})
        answer = nova.json("test", "orders", "--timeout", "0.2", code=1)
        assert answer["error_class"] == "DeadlineExceeded"
        assert "within 0.2 s" in nova.oneiric("test", "orders", "--timeout", "0.2").stdout

    def test_metadata_is_refused(self, nova: Site):
        configure(nova, orders={"host": "2852039166", "port": 80})
        done = nova.oneiric("test", "orders")
        assert done.returncode == 1
        assert (
            "TargetRefused: 2852039166:80 is never connected to: it is the address of a cloud's metadata" in done.stdout
        )

    def test_an_instance_that_is_not_configured_is_one_sentence(self, nova: Site):
        configure(nova, orders={})
        done = nova.oneiric("test", "ordres")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "Error: No instance 'ordres' is configured. Did you mean `orders`?\n"


class TestHealth:
    def test_of_all(self, nova: Site):
        configure(nova, orders={}, ill={"does": "is ill"}, wrong={"doess": "hunter2"})
        done = nova.oneiric("health")
        assert done.returncode == 1
        assert "The disk is full." in done.stdout
        assert "hunter2" not in done.stdout + done.stderr
        found = {each["name"]: each for each in nova.json("health", code=1)}
        assert {name: each["ok"] for name, each in found.items()} == {"orders": True, "ill": False, "wrong": False}
        assert found["wrong"]["error_class"] == "ConfigError"

    def test_of_one(self, nova: Site):
        configure(nova, orders={}, ill={"does": "is ill"})
        assert [each["name"] for each in nova.json("health", "orders")] == ["orders"]
        assert nova.oneiric("health", "ill").returncode == 1
        assert "Did you mean `ill`?" in nova.oneiric("health", "illl").stderr

    def test_of_none(self, nova: Site):
        done = nova.oneiric("health")
        assert (done.returncode, done.stdout) == (
            0,
            "No instance is configured. Name one under `adapters:` in oneiric.yaml.\n",
        )
        assert nova.json("health") == []


class TestDoctor:
    def test_nothing_is_wrong(self, nova: Site):
        configure(nova, orders={})
        done = nova.oneiric("doctor")
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "✓ Nothing is wrong."), done.stdout
        assert "✓ nova (nova 1.0): adapters: nova" in done.stdout
        assert "✓ Python: " in done.stdout
        answer = nova.json("doctor", ONEIRIC_ADAPTERS__ORDERS__PORT="5")
        assert answer["healthy"] is True
        assert findings(answer, "config", "file")[0]["detail"] == "oneiric.yaml"
        assert findings(answer, "config", "environment")[0]["detail"] == "ONEIRIC_ADAPTERS__ORDERS__PORT"

    def test_no_config_is_nothing_wrong(self, nova: Site):
        answer = nova.json("doctor")
        assert answer["healthy"] is True
        assert findings(answer, "config", "file")[0]["detail"].startswith("No file")

    def test_everything_that_is_wrong_with_file_and_line_and_the_mend(self, nova: Site):
        (nova.work / "oneiric.yaml").write_text(
            "adapters:\n"
            "  orders:\n    adapter: nova\n    pasword: hunter2\n    port: hunter3\n"
            "  vault:\n    adapter: nova\n    password: {$env: NOT_THERE}\n    host: {$file: gone.txt}\n    port: x\n"
            "  other: {adapter: nvoa}\n"
            "  empty:\n"
            "  away: {adapter: nova, does: is refused}\n"
        )
        (nova.work / ".env").write_text("ONEIRIC_ADAPTERS__AWAY__PORT=hunter4\nONEIRIC_ONLY_PLUGINS=x\n")
        done = nova.oneiric("doctor", ONEIRIC_CONFG="hunter5")
        assert done.returncode == 1
        for sentence in (
            "✗ orders (oneiric.yaml:4): `pasword` is not a setting. Did you mean `password`?",
            "✗ orders (oneiric.yaml:5): `port`: input should be a valid integer",
            "✗ vault (oneiric.yaml:8): The reference {$env: NOT_THERE} can't be resolved: the variable NOT_THERE is not set.",
            "✗ vault (oneiric.yaml:9): The reference {$file: gone.txt} can't be resolved: the file can't be read: No such",
            "✗ vault (oneiric.yaml:10): `port`: input should be a valid integer",
            "✗ other (oneiric.yaml:11): The instance `other` has no adapter: There is no adapter 'nvoa'.",
            "  → Did you mean `nova`?",
            "✗ empty (oneiric.yaml:12): The instance `empty` has no adapter",
            "✗ away (.env: ONEIRIC_ADAPTERS__AWAY__PORT): `port`: input should be",
            "! ONEIRIC_CONFG: No variable of Oneiric's has this name. Did you mean ONEIRIC_CONFIG?",
            "! ONEIRIC_ONLY_PLUGINS (.env: ONEIRIC_ONLY_PLUGINS): It has no effect in `.env`",
        ):
            assert sentence in done.stdout
        assert "hunter" not in done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == "✗ 8 wrong."

    def test_connections_are_tested_unless_it_is_told_not_to(self, nova: Site):
        configure(nova, orders={}, away={"does": "is refused", "password": "hunter2"})
        answer = nova.json("doctor", code=1)
        (away,) = findings(answer, "connections", "away")
        assert (away["verdict"], away["mend"]) == ("wrong", "Ask.")
        assert away["connection"]["error_class"] == "AuthenticationFailed"
        assert findings(answer, "connections", "orders")[0]["verdict"] == "ok"
        assert nova.json("doctor", "--no-connect")["healthy"] is True
        assert "hunter2" not in json.dumps(answer)

    def test_a_config_that_can_not_be_read(self, nova: Site):
        (nova.work / "oneiric.yaml").write_text("adapters:\n  password: *hunter2\n")
        done = nova.oneiric("doctor")
        assert done.returncode == 1
        assert "✗ layers: oneiric.yaml line 2 is not valid YAML: found undefined alias." in done.stdout
        assert "hunter2" not in done.stdout + done.stderr
        assert "can't be read: No such file" in nova.oneiric("doctor", "--config", "gone.yaml").stdout
        assert nova.json("doctor", code=1, ONEIRIC_ADAPTERS="hunter2")["healthy"] is False

    def test_every_plugin_broken(self, site: Site):
        for number, source in enumerate(("raise RuntimeError('it broke')", "import sys; sys.exit(3)", "def (", "")):
            site.install(f"bad{number}", source)
        site.install("away", "")
        answer = site.json("doctor", code=1, ONEIRIC_BLOCK_PLUGINS="away")
        verdicts = {f"bad{n}": findings(answer, "plugins", f"bad{n}")[0] for n in range(4)}
        assert {each["verdict"] for each in verdicts.values()} == {"wrong"}
        assert verdicts["bad0"]["detail"] == "RuntimeError: it broke"
        assert "ONEIRIC_BLOCK_PLUGINS=bad0" in verdicts["bad0"]["mend"]
        assert findings(answer, "plugins", "away")[0]["verdict"] == "warning"
        assert site.oneiric("doctor").returncode == 1

    def test_two_plugins_that_collide(self, site: Site):
        for name in ("one", "two"):
            site.install(name, PLUGIN, entry_points=f"[oneiric]\nnova = {name}\n")
        answer = site.json("doctor", code=1)
        assert "one and two each claim the plugin name `nova`" in findings(answer, "plugins", "nova")[0]["detail"]

    def test_a_driver_that_is_missing_or_too_old(self, nova: Site):
        nova.install_adapter("old-driver")
        nova.install(
            "orbit",
            "from oneiric import AdapterSpec, hookimpl\n@hookimpl\ndef oneiric_adapters():\n"
            "    return [AdapterSpec('orbit', type='queue', summary='A.', adapter='orbit_adapter:X')]\n",
            modules={"orbit_adapter.py": "import no_such_driver\nclass X: pass"},
            requires=(
                "no-such-driver>=3",
                "old-driver>=2; python_version > '3'",
                "not-here; python_version < '3'",
                "x; extra",
            ),
        )
        configure(nova, task={"adapter": "orbit"})
        answer = nova.json("doctor", code=1)
        (orbit,) = findings(answer, "installation", "orbit")
        assert orbit["verdict"] == "warning"  # its last requirement is none
        nova.install(
            "orbit",
            requires=("no-such-driver>=3", "old-driver>=2; python_version > '3'", "not-here; python_version < '3'"),
            modules={"orbit.py": (nova.folder / "orbit.py").read_text()},
            plugin=(nova.folder / "orbit.py").read_text(),
        )
        answer = nova.json("doctor", code=1)
        (orbit,) = findings(answer, "installation", "orbit")
        assert orbit["verdict"] == "wrong"
        assert "needs no-such-driver>=3, which is not installed" in orbit["detail"]
        assert "needs old-driver>=2, and 1.0 is installed" in orbit["detail"]
        assert "not-here" not in orbit["detail"]
        assert orbit["mend"] == 'Run: pip install "no-such-driver>=3" "old-driver>=2"'
        (task,) = findings(answer, "instances", "task")
        assert task["detail"] == "It needs `no_such_driver`, which is not installed."
        assert findings(answer, "connections", "task") == []

    def test_the_other_package_of_that_name(self, nova: Site):
        nova.install("oneiric", entry_points="", modules={"oneiric.py": ""})
        (nova.folder / "oneiric.py").unlink()  # as where ours was installed last
        (foreign,) = findings(nova.json("doctor", code=1), "installation", "oneiric")
        assert foreign["verdict"] == "wrong"
        assert "pip uninstall oneiric" in foreign["mend"]

    def test_a_reference_that_hangs_is_given_up(self, nova: Site):
        nova.install(
            "vault",
            "import threading\nfrom oneiric import hookimpl\n@hookimpl\ndef oneiric_secret_resolvers():\n"
            "    return {'vault': lambda name: threading.Event().wait()}\n",
        )
        configure(nova, orders={"password": {"$vault": "x"}})
        answer = nova.json("doctor", "--timeout", "0.2", code=1)
        (orders,) = findings(answer, "instances", "orders")
        assert orders["detail"] == "The reference {$vault: x} was not resolved within 0.2 s."
