"""From entry points to plugins: whatever one does, it is listed with its reason, and the others work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from oneiric.discovery import PluginStatus

if TYPE_CHECKING:
    from conftest import Site

HEAD = "import sys\nfrom oneiric import AdapterSettings, AdapterSpec, hookimpl\n"
SPEC = "AdapterSpec('bad', type='database', summary='A.', adapter='bad:X')"


def answering(expression: str) -> str:
    return f"{HEAD}@hookimpl\ndef oneiric_adapters():\n    return {expression}\n"


BROKEN = {
    "raises at import": ("raise RuntimeError('it broke')", "RuntimeError: it broke"),
    "raises without a message": ("raise RuntimeError", "RuntimeError"),
    "exits at import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "panics at import": ("class Panic(BaseException): pass\nraise Panic('rust')", "Panic: rust"),
    "syntax error": ("def (", "SyntaxError: invalid syntax"),
    "needs a module": ("import no_such_driver", "ModuleNotFoundError: No module named 'no_such_driver'"),
    "error without str": (
        "class E(Exception):\n    def __str__(self): raise ValueError('x')\nraise E",
        "E: (its message can't be had: ValueError)",
    ),
    "unprintable error": ("raise OSError('a file named \\udcff')", r"OSError: a file named \udcff"),
    "long error": ("raise OSError('x' * 10_000)", "OSError: xxxx"),
    "returns None": (answering("None"), "Its oneiric_adapters() returns NoneType, not an iterable of AdapterSpec."),
    "returns a str": (answering("'sqlite'"), "Its oneiric_adapters() returns str, not an iterable of AdapterSpec."),
    "returns an int": (answering("5"), "Its oneiric_adapters() returns int, not an iterable of AdapterSpec."),
    "returns a spec": (answering(SPEC), "Its oneiric_adapters() returns AdapterSpec, not an iterable"),
    "returns a list of rubbish": (answering("['sqlite']"), "Its oneiric_adapters() gives str, not AdapterSpec."),
    "returns a mapping": (answering(f"{{'bad': {SPEC}}}"), "Its oneiric_adapters() gives str, not AdapterSpec."),
    "hook raises": (answering("1 / 0"), "ZeroDivisionError: division by zero"),
    "hook exits": (answering("sys.exit()"), "SystemExit"),
    "generator raises midway": (
        f"{HEAD}@hookimpl\ndef oneiric_adapters():\n    yield {SPEC}\n    raise RuntimeError('midway')\n",
        "RuntimeError: midway",
    ),
    "invalid spec": (
        answering("[AdapterSpec('Bad', type='', summary='A.', adapter='x:Y')]"),
        "InvalidSpec: The AdapterSpec 'Bad' is invalid: name is not kebab-case (like `redis-streams`); type is not",
    ),
    "wrong spec arguments": (
        answering("[AdapterSpec('bad', kind='x')]"),
        "TypeError: AdapterSpec.__init__() got an unexp",
    ),
    "wrong hook arguments": (
        f"{HEAD}@hookimpl\ndef oneiric_adapters(catalog):\n    return []\n",
        "hook 'oneiric_adapters'",
    ),
    "unknown hook": (
        f"{HEAD}@hookimpl\ndef oneiric_adapter():\n    return []\n",
        "It implements `oneiric_adapter`, which is not a hook of Oneiric. Did it mean `oneiric_adapters`?",
    ),
    "unknown hook by specname": (
        f"{HEAD}@hookimpl(specname='zzz')\ndef oneiric_adapters():\n    return []\n",
        "It implements `zzz`, which is not a hook of Oneiric.",
    ),
    "no hook": (
        "def oneiric_adapters():\n    return []\n",
        "implements no hook of Oneiric. Are its functions marked with",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_listed_with_its_reason_and_does_not_hide_the_others(site: Site, case: str):
    source, reason = BROKEN[case]
    site.install("bad", source)
    site.install_adapter("a-good-one")
    site.install_adapter("z-good-one")
    loaded = site.load()
    plugins = {plugin.name: plugin for plugin in loaded.plugins}
    bad = plugins["bad"]
    assert bad.status is PluginStatus.FAILED
    assert reason in str(bad.reason)
    assert len(str(bad.reason)) < 600
    assert "\n" not in str(bad.reason)
    assert (bad.distribution, bad.version, bad.adapters) == ("bad", "1.0", ())
    assert bad.hint
    assert plugins["a-good-one"].status is plugins["z-good-one"].status is PluginStatus.LOADED
    assert {"a-good-one", "z-good-one"} <= loaded.specs.keys()
    assert "bad" not in loaded.specs
    assert not loaded.hooks.has_plugin("bad")


def test_the_traceback_of_a_failed_plugin_is_kept(site: Site):
    site.install("bad", "def fail():\n    raise RuntimeError('it broke')\nfail()\n")
    kept = str(site.plugin("bad").traceback)
    assert "bad.py" in kept
    assert "in fail" in kept


def test_a_refusal_has_no_traceback(site: Site):
    site.install("bad", answering("None"))
    assert site.plugin("bad").traceback is None


def test_a_missing_module_is_mended_by_pip(site: Site):
    site.install("bad", "import no_such_driver")
    assert site.plugin("bad").hint == "Run: pip install --force-reinstall bad"


def test_ctrl_c_while_plugins_load_ends_the_program(site: Site):
    site.install("bad", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.load()


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ("x = no_such_module", "ModuleNotFoundError"),
        ("x = bad:missing", "AttributeError"),
        ("x = bad:nothing", "implements no hook"),
        ("x = not a module", ""),
    ],
)
def test_an_entry_point_to_nothing_fails_alone(site: Site, points: str, reason: str):
    site.install("bad", "nothing = None", entry_points=f"[oneiric]\n{points}\n")
    plugin = site.plugin("x")
    assert plugin.status is PluginStatus.FAILED
    assert reason in str(plugin.reason)


def test_an_object_may_be_the_plugin(site: Site):
    source = (
        f"{HEAD}class Plugin:\n    @hookimpl\n    def oneiric_adapters(self):\n        return []\nplugin = Plugin()\n"
    )
    site.install("nova", source, entry_points="[oneiric]\nnova = nova:plugin\n")
    assert site.plugin("nova").status is PluginStatus.LOADED


def test_an_optional_hook_of_a_later_version_is_no_error(site: Site):
    source = f"{HEAD}@hookimpl(optionalhook=True)\ndef oneiric_of_tomorrow():\n    pass\n"
    site.install("nova", source)
    assert site.plugin("nova").status is PluginStatus.LOADED


def test_what_a_plugin_prints_while_it_is_loaded_is_not_on_stdout(site: Site, capsys: pytest.CaptureFixture[str]):
    site.install("loud", f"print('at import')\n{answering('print(123) or []')}")
    assert site.plugin("loud").status is PluginStatus.LOADED
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "at import\n123\n"


def test_a_plugin_declares_with_its_distribution_and_version(site: Site):
    site.install_adapter("nova")
    spec = site.load().specs["nova"]
    assert (spec.distribution, spec.version) == ("nova", "1.0")


def test_a_plugin_may_declare_many_adapters_and_in_any_iterable(site: Site):
    specs = (f"AdapterSpec('n{i}', type='queue', summary='A.', adapter='n:X')" for i in range(3))
    site.install("nova", answering(f"iter([{', '.join(specs)}])"))
    assert site.plugin("nova").adapters == ("n0", "n1", "n2")


class TestCollisions:
    """Two that claim one name: an error that names both, and neither is used."""

    def test_of_a_plugin_name(self, site: Site):
        for name in ("oneiric-nova", "impostor"):
            site.install(name, answering("[]"), entry_points=f"[oneiric]\nnova = {name.replace('-', '_')}\n")
        site.install_adapter("good")
        plugins = [plugin for plugin in site.load().plugins if plugin.name == "nova"]
        assert {plugin.distribution for plugin in plugins} == {"oneiric-nova", "impostor"}
        for plugin in plugins:
            assert plugin.status is PluginStatus.COLLIDED
            assert plugin.reason == (
                "impostor and oneiric-nova each claim the plugin name `nova`, so none of them is loaded."
            )
            assert "ONEIRIC_BLOCK_PLUGINS" in str(plugin.hint)
        assert not {"oneiric_nova", "impostor"} & sys.modules.keys()
        assert "good" in site.load().specs

    def test_of_a_plugin_name_is_mended_by_blocking_one_distribution(self, site: Site):
        for name in ("oneiric-nova", "impostor"):
            site.install(name, answering("[]"), entry_points=f"[oneiric]\nnova = {name.replace('-', '_')}\n")
        status = {plugin.distribution: plugin.status for plugin in site.load(ONEIRIC_BLOCK_PLUGINS="impostor").plugins}
        assert status["impostor"] is PluginStatus.BLOCKED
        assert status["oneiric-nova"] is PluginStatus.LOADED

    def test_of_a_plugin_name_that_one_distribution_declares_twice(self, site: Site):
        site.install("nova", answering("[]"), entry_points="[oneiric]\nx = nova\nx = nova:other\n")
        plugins = [plugin for plugin in site.load().plugins if plugin.name == "x"]
        assert [plugin.status for plugin in plugins] == [PluginStatus.COLLIDED] * 2
        assert plugins[0].reason == "nova declares the plugin name `x` twice, so neither is loaded."
        assert "Uninstall all but one" not in str(plugins[0].hint)

    def test_of_one_module_under_two_names(self, site: Site):
        site.install("nova", answering("[]"), entry_points="[oneiric]\na = nova\nb = nova\n")
        assert site.plugin("a").status is PluginStatus.LOADED
        assert site.plugin("b").status is PluginStatus.FAILED

    def test_of_an_adapter_name(self, site: Site):
        declared = "AdapterSpec({!r}, type='database', summary='A.', adapter='x:Y')"
        site.install("one", answering(f"[{declared.format('same')}, {declared.format('mine')}]"))
        site.install("two", answering(f"[{declared.format('same')}]"))
        loaded = site.load()
        plugins = {plugin.name: plugin for plugin in loaded.plugins}
        for name in ("one", "two"):
            assert plugins[name].status is PluginStatus.COLLIDED
            assert plugins[name].reason == (
                "one and two each claim the adapter name `same`, so that adapter is not available."
            )
        assert "same" not in loaded.specs
        assert "mine" in loaded.specs

    def test_of_an_adapter_name_that_one_distribution_declares_twice(self, site: Site):
        site.install("one", answering(f"[{SPEC}, {SPEC}]"))
        plugin = site.plugin("one")
        assert plugin.status is PluginStatus.COLLIDED
        assert plugin.reason == "one declares the adapter name `bad` twice, so that adapter is not available."


class TestBlocking:
    """ONEIRIC_BLOCK_PLUGINS and ONEIRIC_ONLY_PLUGINS."""

    @pytest.mark.parametrize("names", ["nova", " other , nova ", "oneiric-nova", "Oneiric_Nova", "oneiric.nova,,"])
    def test_a_plugin_is_blocked_by_its_name_or_its_distribution(self, site: Site, names: str):
        site.install("oneiric-nova", "raise RuntimeError", entry_points="[oneiric]\nnova = oneiric_nova\n")
        plugin = site.plugin("nova", ONEIRIC_BLOCK_PLUGINS=names)
        assert plugin.status is PluginStatus.BLOCKED
        assert plugin.reason == "ONEIRIC_BLOCK_PLUGINS names it."
        assert "oneiric_nova" not in sys.modules

    @pytest.mark.parametrize("names", ["nova", "Oneiric_Nova", "x,oneiric-nova"])
    def test_only_those_that_are_named_are_loaded(self, site: Site, names: str):
        site.install("oneiric-nova", answering("[]"), entry_points="[oneiric]\nnova = oneiric_nova\n")
        site.install_adapter("good")
        loaded = site.load(ONEIRIC_ONLY_PLUGINS=names)
        status = {plugin.name: plugin.status for plugin in loaded.plugins}
        assert status["nova"] is PluginStatus.LOADED
        assert all(what is PluginStatus.BLOCKED for name, what in status.items() if name != "nova")
        assert "good" not in loaded.specs

    def test_blocked_wins_over_only(self, site: Site):
        site.install_adapter("good")
        environ = {"ONEIRIC_ONLY_PLUGINS": "good", "ONEIRIC_BLOCK_PLUGINS": "good"}
        assert site.plugin("good", **environ).status is PluginStatus.BLOCKED

    def test_a_name_that_nothing_has_is_told_the_nearest(self, site: Site, caplog: pytest.LogCaptureFixture):
        site.install_adapter("good")
        assert site.plugin("good", ONEIRIC_BLOCK_PLUGINS="godo, good").status is PluginStatus.BLOCKED
        assert "names godo, and nothing of that name is installed. Did you mean good?" in caplog.text
        assert caplog.text.count("installed") == 1

    def test_an_empty_variable_blocks_nothing(self, site: Site):
        site.install_adapter("good")
        environ = {"ONEIRIC_ONLY_PLUGINS": " ", "ONEIRIC_BLOCK_PLUGINS": ""}
        assert site.plugin("good", **environ).status is PluginStatus.LOADED


class TestBrokenDistributions:
    """A dist-info that no installer would have written."""

    def test_without_metadata_the_plugin_works_and_is_unknown(self, site: Site):
        site.install_adapter("good")
        (site.folder / "good-1.0.dist-info" / "METADATA").unlink()
        plugin = site.plugin("good")
        assert (plugin.status, plugin.distribution, plugin.version) == (PluginStatus.LOADED, "unknown", "unknown")

    @pytest.mark.parametrize("metadata", ["", "Name: nova\n", "garbage", "Version: 2\n", "\n\nName: body\n"])
    def test_half_metadata_is_read_as_far_as_it_goes(self, site: Site, metadata: str):
        site.install("nova", answering("[]"), metadata=metadata)
        plugin = site.plugin("nova")
        assert plugin.status is PluginStatus.LOADED
        assert plugin.distribution == ("nova" if "Name: nova" in metadata else "unknown")
        assert plugin.version == ("2" if "Version: 2" in metadata else "unknown")

    def test_metadata_that_is_not_utf_8(self, site: Site):
        site.install_adapter("good")
        (site.folder / "good-1.0.dist-info" / "METADATA").write_bytes(b"Name: good\nVersion: 1.0\nAuthor: Andr\xe9\n")
        assert site.plugin("good").status is PluginStatus.LOADED

    @pytest.mark.parametrize("points", [b"[oneiric]\ngarbage\n", b"[oneiric]\nx = \xff\xfe\n"])
    def test_entry_points_that_no_one_can_read_hide_only_their_own(self, site: Site, points: bytes):
        site.install("bad", "")
        (site.folder / "bad-1.0.dist-info" / "entry_points.txt").write_bytes(points)
        site.install_adapter("good")
        loaded = site.load()
        assert "good" in loaded.specs
        (bad,) = [plugin for plugin in loaded.plugins if plugin.distribution == "bad"]
        assert (bad.status, bad.target, bad.version) == (PluginStatus.FAILED, "entry_points.txt", "1.0")
        assert bad.reason
        assert bad.traceback

    def test_a_description_in_the_metadata_is_not_taken_for_its_head(self, site: Site):
        site.install_adapter("good")
        assert site.plugin("good").version == "1.0"
