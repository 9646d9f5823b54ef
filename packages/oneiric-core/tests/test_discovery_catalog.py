"""The Catalog, and when discovery runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oneiric import AdapterSpec, Catalog, UnknownAdapter, discover

if TYPE_CHECKING:
    from conftest import Site


def spec(name: str, kind: str = "database") -> AdapterSpec:
    return AdapterSpec(name, type=kind, summary="A.", adapter="x:Y")


CATALOG = Catalog([spec("redis-streams", "messaging"), spec("redis-pubsub", "messaging"), spec("sqlite")])


def test_nothing_is_discovered_at_the_import_of_oneiric(site: Site):
    site.install("loud", "raise SystemExit('discovered')")
    assert site.python("-c", "import oneiric, sys; print('loud' in sys.modules)").stdout.strip() == "False"


def test_discovery_runs_once_and_again_when_asked(site: Site):
    first = discover()
    site.install_adapter("nova")
    assert discover() is first
    assert "nova" not in first
    assert "nova" in discover(refresh=True)
    assert "nova" in discover()


def test_an_uninstalled_plugin_is_gone_after_a_refresh(site: Site):
    site.install_adapter("nova")
    assert "nova" in site.catalog()
    for file in (site.folder / "nova-1.0.dist-info").iterdir():
        file.unlink()
    (site.folder / "nova-1.0.dist-info").rmdir()
    assert "nova" not in site.catalog()


def test_specs_are_in_the_order_of_their_names(site: Site):
    for name in ("zeta", "alpha", "mid"):
        site.install_adapter(name)
    ours = [found.name for found in site.catalog() if found.name in ("zeta", "alpha", "mid")]
    assert ours == ["alpha", "mid", "zeta"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sqlit", "There is no adapter 'sqlit'. Did you mean `sqlite`?"),
        ("SQLite", "There is no adapter 'SQLite'. Did you mean `sqlite`?"),
        ("redis_streams", "There is no adapter 'redis_streams'. Did you mean `redis-streams`"),
        ("mongo", "There is no adapter 'mongo'. Installed: `redis-streams`, `redis-pubsub`, `sqlite`."),
        ("a\x1b[31m", r"There is no adapter 'a\x1b[31m'."),
        ("\ud800", r"There is no adapter '\ud800'."),
        ("", "There is no adapter ''."),
    ],
)
def test_an_unknown_name_gets_the_nearest(name: str, said: str):
    with pytest.raises(UnknownAdapter) as caught:
        CATALOG[name]
    assert str(caught.value).startswith(said)


def test_a_very_long_name_is_cut():
    with pytest.raises(UnknownAdapter) as caught:
        CATALOG["x" * 10**6]
    assert len(str(caught.value)) < 300


def test_an_empty_catalog_says_so():
    with pytest.raises(UnknownAdapter, match="Installed: none"):
        Catalog([])["sqlite"]


@pytest.mark.parametrize("blocked", [False, True])
def test_the_name_of_a_plugin_that_is_not_loaded_gets_its_reason(
    site: Site, monkeypatch: pytest.MonkeyPatch, blocked: bool
):
    site.install("nova", "raise RuntimeError('it broke')")
    if blocked:
        monkeypatch.setenv("ONEIRIC_BLOCK_PLUGINS", "nova")
    with pytest.raises(UnknownAdapter) as caught:
        site.catalog()["nova"]
    said = "ONEIRIC_BLOCK_PLUGINS names it." if blocked else "RuntimeError: it broke"
    assert str(caught.value).startswith(f"The adapter `nova` is not available: {said}")


def test_adapters_by_type():
    assert [found.name for found in CATALOG.of_type("messaging")] == ["redis-streams", "redis-pubsub"]
    assert len(CATALOG.of_type(None)) == len(CATALOG) == 3
    assert CATALOG.types == {"messaging", "database"}
    with pytest.raises(
        UnknownAdapter, match=r"No installed adapter is of type 'qeue'. Installed types: database, mess"
    ):
        CATALOG.of_type("qeue")


def test_the_troubled_are_those_that_failed_or_collided(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.install("bad", "raise RuntimeError")
    site.install("away", "raise RuntimeError")
    site.install_adapter("good")
    monkeypatch.setenv("ONEIRIC_BLOCK_PLUGINS", "away")
    assert [plugin.name for plugin in site.catalog().troubled] == ["bad"]
