"""docs/configuration.md: its configs are right, and its plugin brings a scheme. (tests/test_readme.py runs its commands.)"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pluggy
import pytest
from configs import problems
from oneiric import hookspecs
from oneiric.config import resolved, schemes_of
from oneiric.errors import UnresolvedReference
from walkthrough import BLOCK, untold, write

PAGE = (Path(__file__).parent.parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_its_configs_are_right(folder: Path) -> None:
    configs = [block["text"] for block in BLOCK.finditer(PAGE) if block["language"] == "yaml"]
    assert len(configs) == 2
    for text in configs:
        (folder / "oneiric.yaml").write_text(text)
        assert problems(folder / "oneiric.yaml") == []
    assert untold(PAGE) == ["yaml", "yaml", "commands"]


def test_its_plugin_brings_a_scheme(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(PAGE, folder)
    program = folder / "pass"
    program.write_text('#!/bin/sh\n[ "$2" = orders/password ] && echo hunter2\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    spec = importlib.util.spec_from_file_location("plugin", folder / "plugin.py")
    assert spec
    assert spec.loader
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    hooks = pluggy.PluginManager(hookspecs.PROJECT)
    hooks.add_hookspecs(hookspecs)
    hooks.register(plugin)
    schemes = schemes_of(hooks)
    assert resolved({"password": {"$pass": "orders/password"}}, schemes) == {"password": "hunter2"}
    with pytest.raises(UnresolvedReference, match=r"CalledProcessError\.$"):
        resolved({"password": {"$pass": "other"}}, schemes)
