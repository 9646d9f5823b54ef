"""`oneiric new`, for each type: generated, installed, listed, and its tests fail on what is left to write alone."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Venv

TYPES = ["database", "messaging", "queue", "vector", "cache"]
UNWRITTEN = re.compile(r"NotImplementedError: \w+Adapter\.\w+ is not written yet\.")


@pytest.fixture(scope="module")
def scaffolds(
    wheels: dict[str, Path], new_venv: Callable[[Path], Venv], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Venv, Path]:
    """A venv with the kit, and a folder in which there is a package for each type, all of them installed."""
    folder = tmp_path_factory.mktemp("scaffolds")
    venv = new_venv(folder / "venv")
    venv.pip(
        "install", f"oneiric-core[testing] @ {wheels['oneiric-core'].as_uri()}", "mypy>=2.4,<2.5", "ruff>=0.17,<0.18"
    )
    for kind in TYPES:
        venv.oneiric("new", f"red-{kind}", "--type", kind, "--directory", str(folder / kind))
    venv.pip("install", "--no-deps", *(part for kind in TYPES for part in ("--editable", folder / kind)))
    return venv, folder


def test_each_is_listed_and_valid(scaffolds: tuple[Venv, Path]) -> None:
    venv, _ = scaffolds
    assert {adapter["name"]: (adapter["type"], adapter["status"]) for adapter in venv.oneiric("list")} == {
        f"red-{kind}": (kind, "available") for kind in TYPES
    }
    for kind in TYPES:
        assert venv.oneiric("validate", f"red-{kind}", "--config", "{}")["valid"] is True


@pytest.mark.parametrize("kind", TYPES)
def test_its_tests_fail_on_what_is_not_written_and_on_nothing_else(scaffolds: tuple[Venv, Path], kind: str) -> None:
    venv, folder = scaffolds
    command = [venv.folder / "bin" / "pytest", "--tb=line", "--junit-xml=report.xml", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder / kind, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1, done.stdout
    cases = [*ET.parse(folder / kind / "report.xml").iter("testcase")]
    wrong = [
        case.attrib["name"]
        for case in cases
        for outcome in (*case.iter("failure"), *case.iter("error"))
        if not UNWRITTEN.search("".join(outcome.itertext()))
    ]
    assert wrong == []
    passed = {case.attrib["name"] for case in cases if not len(case)}
    assert passed >= {
        "test_it_is_listed",
        "test_it_can_be_imported",
        "test_every_public_name_is_there",
        "test_importing_the_plugin_and_its_settings_imports_no_driver",
        "test_the_example_config_is_valid",
        "test_every_setting_has_a_description",
        "test_secrets_are_of_a_secret_type",
        "test_the_capabilities_are_constants_of_the_contract",
        "test_the_class_fulfils_the_contract_of_its_type",
        "test_the_class_takes_the_settings_that_the_spec_declares",
        "test_the_settings_say_what_they_would_reach",
    }


def test_they_are_as_ruff_and_mypy_would_have_them(scaffolds: tuple[Venv, Path]) -> None:
    venv, folder = scaffolds
    for kind in TYPES:
        for tool in (
            ["ruff", "check", "."],
            ["ruff", "format", "--check", "."],
            ["mypy", "--cache-dir", folder, "src", "tests"],
        ):
            command = [venv.folder / "bin" / tool[0], *tool[1:]]
            done = subprocess.run(command, cwd=folder / kind, capture_output=True, text=True, timeout=100, check=False)
            assert done.returncode == 0, f"{kind}: {done.stdout}{done.stderr}"
