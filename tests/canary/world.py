"""A folder as an application has it: a config, variables and files, with a canary wherever a secret may stand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.config import problems_of
from oneiric.masking import is_secret

from .canaries import AWKWARD, PLAIN, Canaries
from .planting import URLS, Planter, misspelled, mistyped, unescaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric import AdapterSpec

SITE = Path(__file__).parent / "site"

FAILURES = {
    "init": (
        *(
            "plain",
            "arguments",
            "attributes",
            "notes",
            "caused",
            "during",
            "hidden",
            "group",
            "named_group",
            "stubborn",
        ),
        *("stubborn_cause", "group_cause", "circle", "inside", "key", "encoding", "decoding", "importing", "syntax"),
        *("reply", "short_reply", "ours", "refused", "config"),
    ),
    "making": ("plain", "stubborn", "group", "config"),
    "health": ("unhealthy", "plain", "stubborn", "group", "ours"),
    "cleanup": ("plain", "stubborn", "group_cause", "ours"),
    "validation": ("quotes", "whole", "raises"),
}
"""Where the leaky adapter fails, and how."""

SHOWN = (
    *("leaky_file", "leaky_by_file", "leaky_by_vault", "leaky_sealed", "leaky_misspelled", "init_stubborn", "reached"),
    *("unescaped_True", "no_such_adapter"),
)
"""The instances of the small config file."""


@dataclass
class World:
    """The folder, and what a process needs to live in it."""

    folder: Path
    canaries: Canaries = field(default_factory=Canaries)
    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    """As in the YAML file."""
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    """As an application gives them in code."""
    variables: dict[str, str] = field(default_factory=dict)
    dotenv: dict[str, str] = field(default_factory=dict)

    layered: list[str] = field(default_factory=list)
    """The instances that are not in the YAML file, but in `.env` or variables."""

    def __post_init__(self) -> None:
        for name in ("work", "home", "secrets"):
            (self.folder / name).mkdir(parents=True)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def small(self) -> Path:
        """A config file with a few of the instances: to read YAML takes its time."""
        return self.work / "small.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that runs here, with all logging on."""
        ours = {name: value for name, value in os.environ.items() if not name.upper().startswith("ONEIRIC_")}
        return {
            **ours,
            **self.variables,
            "PYTHONPATH": str(SITE),
            "HOME": str(self.folder / "home"),
            "XDG_CONFIG_HOME": str(self.folder / "home" / "config"),
            "COLUMNS": "400",
            "NO_COLOR": "1",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1",
            "CANARY_DEBUG": "1",
            "FASTMCP_LOG_LEVEL": "DEBUG",
        }

    def add(self, spec: AdapterSpec) -> None:
        """Configure an adapter in every layer and by every kind of reference, rightly and wrongly."""
        self.instances[f"{spec.name}_file"] = self._literal(spec, f"{spec.name}_file")
        self.instances.update(self._in_url(spec, f"{spec.name}_in_url"))
        for name, plant in (("env", self._by_variable), ("file", self._by_file), ("vault", self._by_vault)):
            self.instances[f"{spec.name}_by_{name}"] = self._planted(
                spec, f"{spec.name}_by_{name}", plant, plain_too=True
            )
        self.instances[f"{spec.name}_sealed"] = self._planted(
            spec, f"{spec.name}_sealed", lambda place, text: self._by_vault(place, text, "SEALED")
        )
        literal = self._literal(spec, f"{spec.name}_misspelled")
        keys = [key for key in literal if key != "adapter"]
        self.instances[f"{spec.name}_misspelled"] = misspelled(literal, keys)
        self.instances[f"{spec.name}_mistyped"] = mistyped(self._literal(spec, f"{spec.name}_mistyped"), keys)
        for layer in (self.variables, self.dotenv):
            name = f"{spec.name}_in_{'variables' if layer is self.variables else 'dotenv'}"
            self.layered.append(name)
            for key, value in self._literal(spec, name).items():
                text = value if isinstance(value, str) else json.dumps(value)
                layer[f"ONEIRIC_ADAPTERS__{name.upper().replace('-', '_')}__{key.upper()}"] = text
        self.overrides[f"{spec.name}_override"] = self._literal(spec, f"{spec.name}_override")

    def add_failures(self, spec: AdapterSpec) -> None:
        """Configure an adapter that fails wherever it can and however; and secrets as people write them."""
        for at, ways in FAILURES.items():
            for how in ways:
                name = f"{at}_{how}"
                by_reference = {"api_key": self._by_variable(name, self.canaries.at(f"{name}.api_key"))}
                literal = self._literal(spec, name)
                few = {key: literal[key] for key in ("adapter", "password", "key", "tokens", "dsn")}
                self.instances[name] = {**few, **by_reference, "at": at, "how": how}
        for says_targets in (False, True):
            name = f"unescaped_{says_targets}"
            dsn = unescaped("leaky", self.canaries.at(f"{name}.dsn"))
            self.instances[name] = {"adapter": spec.name, "dsn": dsn, "says_targets": says_targets, "how": "plain"}
        self.instances["reached"] = {**self._literal(spec, "reached"), "says_targets": True}
        self.instances["no_such_adapter"] = {
            "adapter": "leeky",
            "password": self.canaries.at("no_such_adapter.password"),
        }
        self.instances["adapter_is_secret"] = {"password": {"$nothing": self.canaries.at("of no scheme")}}
        self.variables["OBSERVERS_TOKEN"] = self.canaries.at("OBSERVERS_TOKEN")
        password = self.canaries.at("BROKEN_DSN", between="-")
        self.variables["BROKEN_DSN"] = f"postgresql://app:{password}@db.internal/x"

    def write(self, instances: Mapping[str, Any] | None = None) -> Path:
        """Write the config file, and `.env` beside it."""
        path = self.work / "oneiric.yaml"
        content = {"adapters": self.instances if instances is None else instances}
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        lines = (f"{name}='{_in_quotes(value)}'\n" for name, value in self.dotenv.items())
        (self.work / ".env").write_text("".join(lines), encoding="utf-8")
        small = {name: content["adapters"][name] for name in SHOWN if name in content["adapters"]}
        self.small.write_text(json.dumps({"adapters": small}, indent=1, ensure_ascii=False), encoding="utf-8")
        return path

    def copy_to(self, folder: Path, *, small: bool) -> Path:
        """A copy of the config, or of the small one, that may be changed; returns its path."""
        for source, name in (
            (self.small if small else self.work / "oneiric.yaml", "oneiric.yaml"),
            (self.work / ".env", ".env"),
        ):
            (folder / name).write_bytes(source.read_bytes())
        return folder / "oneiric.yaml"

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> str:
        """Run Python here; returns all that it puts out, its exit code included."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.work,
            env={**self.environment, **environ},
            input=stdin.encode(),
            capture_output=True,
            timeout=90,
            check=False,
        )
        texts = (text.decode(errors="backslashreplace") for text in (done.stdout, done.stderr))
        return "\n".join((*texts, f"exit code {done.returncode}"))

    def check(self, text: str) -> None:
        """Fail where a canary is in what was put out, and say which, and behind what."""
        assert text.strip(), "nothing was captured"
        found = self.canaries.found_in(text)
        if found:
            pytest.fail("\n".join([f"{len(found)} secrets are to be seen:", *found[:20]]), pytrace=False)

    def _literal(self, spec: AdapterSpec, name: str) -> dict[str, Any]:
        """A right config: of the ways to write a URL, the first that the settings take beside what else is secret.

        Secrets are as awkward as can be, or plain for settings that take no others, as a header's.
        """
        for between, url in product((AWKWARD, PLAIN), URLS):
            config = self._planted(spec, name, lambda place, text: text, url=url, between=between)
            problems = _problems(spec, config)
            if not problems:
                return config
        raise AssertionError(f"the canaries make the config of {spec.name} wrong: {problems}")

    def _in_url(self, spec: AdapterSpec, name: str) -> dict[str, dict[str, Any]]:
        """A right config whose only secret is in its URL, where the settings take that."""
        secret = {key for key, setting in spec.settings.model_fields.items() if is_secret(setting.annotation)}
        for url in URLS:
            planted = self._planted(spec, name, lambda place, text: text, url=url)
            config = {key: value for key, value in planted.items() if key not in secret}
            if self.canaries.found_in(json.dumps(config)) and not _problems(spec, config):
                return {name: config}
        return {}

    def _planted(
        self,
        spec: AdapterSpec,
        name: str,
        plant: Any,
        *,
        plain_too: bool = False,
        url: str | None = None,
        between: str = AWKWARD,
    ) -> dict[str, Any]:
        planter = Planter(
            lambda path: self.canaries.at(f"{name}{path}", between),
            lambda path, text: plant(f"{name}{path}", text),
            plain_too=plain_too,
            url=url,
        )
        return {"adapter": spec.name, **planter.config(spec.settings, spec.example)}

    def _by_variable(self, place: str, text: str) -> dict[str, str]:
        name = _variable(place)
        self.variables[name] = text
        return {"$env": name}

    def _by_file(self, place: str, text: str) -> dict[str, str]:
        path = self.folder / "secrets" / _variable(place)
        path.write_text(f"{text}\n", encoding="utf-8")
        return {"$file": str(path)}

    def _by_vault(self, place: str, text: str, prefix: str = "OPEN") -> dict[str, str]:
        name = f"{prefix}_{_variable(place)}"
        self.variables[f"VAULT_{name}"] = text
        return {"$vault": name}


def _problems(spec: AdapterSpec, config: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(problems_of(spec.settings, {key: value for key, value in config.items() if key != "adapter"}, {}))


def _variable(place: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in place).upper()


def _in_quotes(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
