"""What the plugin says of the adapter, as `oneiric list` shows it."""

from __future__ import annotations

from oneiric.discovery import discover

import oneiric_duckdb


def test_it_is_listed() -> None:
    spec = discover()["duckdb"]
    assert (spec.type, spec.distribution) == ("database", "oneiric-duckdb")


def test_it_can_be_imported() -> None:
    assert discover().why_unavailable(discover()["duckdb"]) is None
    assert discover()["duckdb"].load() is oneiric_duckdb.DuckdbAdapter


def test_every_public_name_is_there() -> None:
    assert all(hasattr(oneiric_duckdb, name) for name in oneiric_duckdb.__all__)
