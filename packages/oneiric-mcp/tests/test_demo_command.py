"""`oneiric demo`, as a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Site


def test_a_third_partys_adapter_goes_through_its_life(site: Site):
    done = site.run("-m", "oneiric", "demo", ONEIRIC_ONLY_PLUGINS="mcp,shelf", COLUMNS="120")
    assert done.returncode == 0, done
    assert "shelf" in done.stdout
    assert "clean up" in done.stdout
    assert [path.name for path in site.work.iterdir()] == []


def test_its_json_is_the_whole_stdout(site: Site):
    done = site.run("-m", "oneiric", "demo", "--json", ONEIRIC_ONLY_PLUGINS="mcp,shelf")
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    assert [step["step"] for step in answer["steps"]][-1] == "clean up"


def test_without_an_adapter_it_says_what_to_install_and_exits_with_1(site: Site):
    done = site.run("-m", "oneiric", "demo", ONEIRIC_ONLY_PLUGINS="mcp")
    assert done.returncode == 1
    assert "No adapter is installed. Install one: pip install oneiric-sqlite" in done.stdout


def test_what_is_broken_is_told_and_the_others_go_on(site: Site):
    site.configure("adapters: {")
    site.install("bad", "raise RuntimeError")
    site.install_adapter("orbit", "import no_such_driver\nclass Shelf: pass")
    done = site.run("-m", "oneiric", "demo", "--json", ONEIRIC_ONLY_PLUGINS="mcp,shelf,orbit,bad")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    ends = {step["adapter"]: (step["step"], step["ok"]) for step in answer["steps"]}
    assert ends == {
        "bad": ("load the plugin", False),
        "orbit": ("mend", False),
        "shelf": ("clean up", True),
    }


def test_a_config_of_the_user_s_own_is_not_the_demo_s(site: Site):
    (site.home / "config" / "oneiric").mkdir(parents=True)
    (site.home / "config" / "oneiric" / "oneiric.yaml").write_text("adapters: {shelf: {no_such_key: 3}}")
    done = site.run("-m", "oneiric", "demo", "--json", ONEIRIC_ONLY_PLUGINS="mcp,shelf")
    assert done.returncode == 0, done.stderr
