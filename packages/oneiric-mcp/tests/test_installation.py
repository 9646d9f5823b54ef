"""Installation: the config as its file is now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from oneiric import UnknownAdapter
from oneiric_mcp import Installation

if TYPE_CHECKING:
    from conftest import Site


def test_an_edit_of_the_same_length_is_seen(site: Site, installation: Installation):
    site.configure("adapters: {aaa: {}}")
    assert list(installation.config) == ["aaa"]
    path = site.work / "oneiric.yaml"
    stamp = path.stat()
    path.write_text("adapters: {bbb: {}}", encoding="utf-8")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    assert list(installation.config) == ["bbb"]


def test_a_file_put_in_the_place_of_another_is_seen_whatever_its_time(site: Site, installation: Installation):
    site.configure("adapters: {aaa: {}}")
    stamp = (site.work / "oneiric.yaml").stat()
    assert list(installation.config) == ["aaa"]
    new = site.work / "new"
    new.write_text("adapters: {bbb: {}}", encoding="utf-8")
    os.utime(new, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    new.replace(site.work / "oneiric.yaml")
    assert list(installation.config) == ["bbb"]


def test_a_file_that_is_not_changed_is_not_read_again(site: Site, installation: Installation):
    site.configure("adapters: {aaa: {}}")
    assert installation.config is installation.config


def test_a_broken_config_is_an_empty_one_until_it_is_mended(site: Site, installation: Installation):
    site.configure("adapters: [")
    assert len(installation.config) == 0
    assert "line 1 is not valid YAML" in str(installation.config_error)
    assert [summary.status for summary in installation.summaries("shelf")] == ["available"]
    site.configure("adapters: {shelf: {}}")
    assert [summary.status for summary in installation.summaries("shelf")] == ["configured"]
    assert installation.config_error is None


@pytest.mark.parametrize("path", ["gone.yaml", "."])
def test_a_named_config_that_is_not_there_is_said_and_found_later(site: Site, path: str):
    installation = Installation(path)
    assert len(installation.config) == 0
    assert "can't be read" in str(installation.config_error)
    if path != ".":
        (site.work / path).write_text("adapters: {shelf: {}}", encoding="utf-8")
        assert list(installation.config) == ["shelf"]
        assert installation.config_error is None


def test_a_wrong_variable_is_said_and_stops_nothing(installation: Installation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONEIRIC_ADAPTERS__ORDERS", "hunter2")
    assert len(installation.config) == 0
    assert "ONEIRIC_ADAPTERS__ORDERS" in str(installation.config_error)


def test_an_unknown_adapter_is_unknown(installation: Installation):
    with pytest.raises(UnknownAdapter, match="Did you mean `shelf`"):
        installation.info("shlf")
    with pytest.raises(UnknownAdapter, match="Did you mean `shelf`"):
        installation.validate("shlf", {})
    with pytest.raises(UnknownAdapter, match="of type 'shelv'"):
        installation.summaries("shelv")
