"""The options of `oneiric-mcp`."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Site


def test_its_version(site: Site):
    assert site.run("-m", "oneiric_mcp", "--version").stdout == f"oneiric-mcp {version('oneiric-mcp')}\n"


def test_its_help_has_the_address(site: Site):
    said = site.run("-m", "oneiric_mcp", "--help").stdout
    assert "127.0.0.1" in said
    assert "8679" in said


@pytest.mark.parametrize("options", [("--port", "x"), ("--nothing",), ("sqlite",)])
def test_a_wrong_option_is_a_usage_error(site: Site, options: tuple[str, ...]):
    done = site.run("-m", "oneiric_mcp", *options)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: oneiric-mcp")


def test_a_config_that_is_not_there_does_not_stop_it(site: Site):
    done = site.run("-m", "oneiric_mcp", "--config", "gone.yaml")
    assert done.returncode == 0
