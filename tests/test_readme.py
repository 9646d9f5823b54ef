"""What the README says can be done, done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, text: str = README) -> str:
    """The first code block of a language."""
    match = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert match, f"no block of {language!r}"
    return match[1]


def command_after(marker: str) -> str:
    return block("", README.partition(f"<!-- {marker} -->")[2]).strip()


@pytest.mark.parametrize(
    ("page", "output"),
    [
        ("README.md", "Ada 12"),
        ("packages/oneiric-core/README.md", "Ada 12"),
        ("packages/oneiric-sqlite/README.md", "tea 1"),
        ("packages/oneiric-postgres/README.md", "tea True\nmilk is out"),
        ("docs/lifecycle.md", "ready True\n0\nstopped"),
    ],
)
def test_the_example_runs_as_it_stands(page: str, output: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    (tmp_path / "oneiric.yaml").write_text(block("yaml", text))
    (tmp_path / "example.py").write_text(block("python", text))
    command = [sys.executable, "-X", "dev", "-W", "error", "example.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout.strip(), result.returncode) == (output, 0), result.stderr


def test_ci_and_the_contributors_run_the_test_command_of_the_readme(tmp_path: Path) -> None:
    command = command_after("tests")
    assert command == block("", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")).strip()
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    extraction = re.search(r"^command=\$\((.*)\)$", script, re.MULTILINE)
    assert extraction
    found = subprocess.run(["bash", "-c", extraction[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == command


def test_the_first_command_installs_every_package_that_the_demo_shows() -> None:
    command = command_after("demo")
    shown = {path.name for path in (ROOT / "packages").iterdir()} - {"oneiric-otel"}
    assert all(f"./packages/{name}" in command for name in shown)
    apps = {path.name for path in (ROOT / "examples").iterdir() if next(path.glob("src/*/demo.py"), None)}
    assert all(f"./examples/{name}" in command for name in apps)
    assert apps == set(command_after("apps").partition(" in ")[2].partition(";")[0].split())
    assert command.endswith(".venv/bin/oneiric demo")


def test_the_commands_of_the_configuration_page_do_what_it_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    commands = block("sh", text.partition("<!-- commands -->")[2]).splitlines()
    assert len(commands) == 6
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    contents = []
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        file = tmp_path / "oneiric.yaml"
        contents.append(file.read_text() if file.exists() else None)
    first = block("yaml", text)
    assert contents == [None, first, *[f"{first}    readers: 8\n"] * 3, first]


def test_every_page_that_is_linked_to_is_there() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("packages/*/README.md")]
    assert len(pages) > 5
    missing = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert missing == []
