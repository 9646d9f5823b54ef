"""Every command as a process of its own, with all logging on: whatever it is asked, it shows no secret."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import typer
from oneiric.cli.app import build
from oneiric.config import apply_plan, plan_change
from oneiric.discovery import discover
from oneiric.errors import OneiricError

from .capture import capturing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .world import World

    Calls = Callable[["Bench"], list[tuple[str, ...]]]


class Bench:
    """What the calls of one command are made of: secrets to give, and a config file of its own that it may change."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._copies = 0

    def secret(self, place: str) -> str:
        return self._world.canaries.at(f"given as {place}", between="-'x\\ @")

    def url(self, place: str) -> str:
        return f"leaky://app:{self._world.canaries.at(f'given in the URL of {place}', between='-')}@127.0.0.1:9/x"

    @property
    def small(self) -> str:
        """The path of the config file with the instances of which there are enough to show."""
        return str(self._world.small)

    def new_file(self) -> str:
        """The path of a file that isn't there."""
        return str(self._folder / "new")

    def folder(self) -> str:
        """The path of an empty folder."""
        self._copies += 1
        path = self._folder / f"empty{self._copies}"
        path.mkdir()
        return str(path)

    def installed(self, name: str) -> str:
        """The path of a new config file with the right instance of an installed adapter."""
        return self.config(**{name: self._world.instances[name]})

    def file(self, text: str) -> str:
        self._copies += 1
        path = self._folder / f"{self._copies}.txt"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def failing(self, place: str) -> str:
        """A config with literals and references whose adapter fails, as JSON."""
        settings = self._world.instances["leaky_by_file"] | {
            "password": self.secret(place),
            "at": "init",
            "how": "stubborn",
        }
        return json.dumps({key: value for key, value in settings.items() if key != "adapter"})

    def config(self, **instances: Any) -> str:
        """The path of a new config file, with the leaky adapter's right instance and these."""
        content = {"leaky_file": self._world.instances["leaky_file"], **instances}
        self._copies += 1
        path = self._folder / str(self._copies) / "oneiric.yaml"
        path.parent.mkdir()
        path.write_text(json.dumps({"adapters": content}, indent=1, ensure_ascii=False), encoding="utf-8")
        return str(path)

    def planned(self) -> tuple[str, ...]:
        """A change, and the hash of its plan."""
        path, password = self.config(), self.secret("config apply")
        plan = plan_change("leaky_file", {"password": password}, discover(), path=path)
        return "leaky_file", f"password={password}", "--plan", plan.hash, "--config", path

    def changed(self) -> str:
        """The path of a config file that has an earlier version."""
        path = self.config()
        apply_plan(plan_change("leaky_file", {"password": None}, discover(), path=path))
        return path


SHOWN = ("leaky_file", "leaky_misspelled", "leaky_in_dotenv")

CALLS: dict[str, Calls] = {
    "list": lambda bench: [(), (f"--tipe={bench.secret('a misspelled option')}",)],
    "info": lambda _: [("leaky",)],
    "plugins": lambda _: [("--traceback",)],
    "validate": lambda bench: [
        ("leaky", "--config", json.dumps({"password": bench.secret("validate"), "dsn": bench.url("validate")})),
        (
            "leaky",
            "--config",
            json.dumps({"pasword": bench.secret("a key"), "pool": bench.secret("a pool"), "at": "x"}),
        ),
        ("leaky", "--config", f'{{"password": "{bench.secret("no JSON")}'),
        ("leaky", json.dumps({"password": bench.secret("in the wrong place")})),
    ],
    "explain": lambda bench: [(name, "--config", bench.small) for name in SHOWN],
    "config get": lambda bench: [
        ("leaky_file", "--config", bench.small),
        ("leaky_misspelled", "passwordx", "--config", bench.small),
    ],
    "config plan": lambda bench: [
        ("leaky_file", *change, "--config", bench.small)
        for change in (
            (f"password={bench.secret('config plan')}", f"dsn={bench.url('config plan')}"),
            (f"pasword={bench.secret('config plan, misspelled')}", f"pool={bench.secret('config plan, mistyped')}"),
            (f"tokens=['{bench.secret('config plan, no YAML')}",),
            ("--from", bench.file(f"password: '{bench.secret('config plan --from')}")),
        )
    ],
    "config set": lambda bench: [
        ("leaky_file", f"password={bench.secret('config set')}", "--yes", "--config", bench.config()),
        ("leaky_file", f"url={bench.url('config set')}", "--config", bench.config()),
        ("leaky_file", "adapter=sqlite", "--yes", "--config", bench.config()),
    ],
    "config apply": lambda bench: [
        bench.planned(),
        ("leaky_file", f"password={bench.secret('config apply, wrong hash')}", "--plan", bench.secret("a hash")),
    ],
    "config history": lambda bench: [("--config", bench.changed())],
    "config rollback": lambda bench: [
        ("--yes", "--config", bench.changed()),
        ("--plan", bench.secret("the hash of a rollback"), "--config", bench.changed()),
    ],
    "test": lambda bench: [
        (name, "--timeout", "2", "--config", bench.small)
        for name in ("leaky_sealed", "init_stubborn", "unescaped_True")
    ],
    "health": lambda _: [("--json",)],
    "doctor": lambda _: [("--timeout", "2")],
    "demo": lambda _: [("--json",)],
    "conformance": lambda bench: [
        ("leaky", "--json", "--config", bench.failing("conformance")),
        ("leaky", "--config", json.dumps({"pasword": bench.secret("conformance, misspelled")})),
    ],
    "migrate": lambda bench: [
        ("postgres_file", bench.folder(), "--config", bench.installed("postgres_file")),
        ("leaky_file", bench.folder(), "--config", bench.small),
    ],
    "new": lambda bench: [("nova", "--type", "database", "--directory", bench.new_file())],
    "tokens create": lambda bench: [
        ("ada", "--file", bench.new_file(), "--scope", bench.secret("a scope")),
        ("ada", "--file", bench.file(f'{{"{bench.secret("a broken file of tokens")}')),
    ],
    "tokens list": lambda bench: [("--file", bench.file(f'[{{"name": "{bench.secret("a file of tokens")}"}}]'))],
    "tokens revoke": lambda bench: [("bob", "--file", bench.file(f'"{bench.secret("another file of tokens")}"'))],
}
"""Each command with the arguments of some right calls and some wrong ones."""


def commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path.strip(), command
        return
    for name, each in inner.items():
        yield from commands(each, f"{path} {name}")


def built() -> dict[str, Any]:
    return dict(commands(typer.main.get_command(build(discover()))))


def test_every_command_is_driven(world: World) -> None:
    assert CALLS.keys() == built().keys(), "give CALLS the calls of each new command, right and wrong, with secrets"


def test_a_wrong_call_repeats_no_value(world: World) -> None:
    app = typer.main.get_command(build(discover()))
    with capturing() as captured:
        for command, built_command in built().items():
            secret = world.canaries.at(f"what {command} doesn't take", between="-'x\\ @")
            required = sum(parameter.param_type_name == "argument" for parameter in built_command.params)
            known = command.split() + ["leaky"] * required
            for wrong in ([secret], [f"--no-such-option={secret}"], [secret, "--json", secret]):
                with pytest.raises((SystemExit, OneiricError)) as caught:
                    app.main([*known, *wrong], prog_name="oneiric")
                captured.add(str(caught.value))
    assert "Got unexpected extra argument" in captured.text()
    assert "No such option" in captured.text()
    world.check(captured.text())


@pytest.mark.parametrize("command", CALLS)
def test_no_call_of_a_command_shows_a_secret(world: World, tmp_path: Path, command: str) -> None:
    bench = Bench(world, tmp_path)
    calls = [(*command.split(), *arguments) for arguments in CALLS[command](bench)]
    if any("--json" in parameter.opts for parameter in built()[command].params) and "--json" not in calls[0]:
        calls.append((*calls[0], "--json"))
    with ThreadPoolExecutor(3) as pool:
        texts = pool.map(lambda call: world.run(*(DEV if command in RUNNING else ()), "-m", "oneiric", *call), calls)
        for call, text in zip(calls, texts, strict=True):
            print(call)
            world.check(text)


DEV = ("-X", "dev")
RUNNING = ("test", "health", "doctor")
"""The commands that initialise adapters."""
