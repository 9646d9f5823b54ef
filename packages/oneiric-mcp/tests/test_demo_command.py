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


APP = """
from oneiric.hookspecs import hookimpl

@hookimpl
def oneiric_demo_apps():
    return {"shop": "shop_demo:demo", "ruin": "shop_demo:ruin"}
"""
APP_DEMO = """
async def demo(folder):
    assert list(folder.iterdir()) == []
    (folder / "till").write_text("9")
    yield "open", "the till holds 9"
    yield "close", "counted"

async def ruin(folder):
    yield "open", "the till holds 9"
    raise RuntimeError("It burns.")
"""


def test_an_application_runs_step_by_step(site: Site):
    site.install("shop", APP, shop_demo=APP_DEMO)
    done = site.run("-m", "oneiric", "demo", "--app", "shop", "--json", ONEIRIC_ONLY_PLUGINS="mcp,shop")
    assert done.returncode == 0, done
    assert [(step["adapter"], step["step"], step["detail"]) for step in json.loads(done.stdout)["steps"]] == [
        ("shop", "open", "the till holds 9"),
        ("shop", "close", "counted"),
    ]
    assert [path.name for path in site.work.iterdir()] == []
    listed = site.run("-m", "oneiric", "demo", ONEIRIC_ONLY_PLUGINS="mcp,shop")
    assert "Applications: ruin, shop. Run one: oneiric demo --app NAME" in listed.stdout
    shown = site.run("-m", "oneiric", "demo", "--app", "shop", ONEIRIC_ONLY_PLUGINS="mcp,shop").stdout
    assert "The application shop" in shown


def test_an_application_that_raises_has_failed(site: Site):
    site.install("shop", APP, shop_demo=APP_DEMO)
    done = site.run("-m", "oneiric", "demo", "--app", "ruin", "--json", ONEIRIC_ONLY_PLUGINS="mcp,shop")
    assert done.returncode == 1
    assert [(step["ok"], step["detail"]) for step in json.loads(done.stdout)["steps"]] == [
        (True, "the till holds 9"),
        (False, "RuntimeError: It burns."),
    ]


def test_an_unknown_application_is_an_error_with_the_nearest_name(site: Site):
    site.install("shop", APP, shop_demo=APP_DEMO)
    site.install("odd", "from oneiric.hookspecs import hookimpl\n@hookimpl\ndef oneiric_demo_apps(): raise OSError")
    done = site.run("-m", "oneiric", "demo", "--app", "shp", ONEIRIC_ONLY_PLUGINS="mcp,shop,odd")
    assert done.returncode != 0
    assert "Did you mean `shop`?" in done.stderr
    assert "Traceback" not in done.stderr
