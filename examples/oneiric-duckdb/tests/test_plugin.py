"""What the plugin says of the adapter, as `oneiric list` shows it."""

from __future__ import annotations

from oneiric.discovery import discover
from oneiric.passport import passport_of

import oneiric_duckdb


def test_it_is_listed() -> None:
    spec = discover()["duckdb"]
    assert (spec.type, spec.distribution) == ("database", "oneiric-duckdb")


def test_it_can_be_imported() -> None:
    assert discover().why_unavailable(discover()["duckdb"]) is None
    assert discover()["duckdb"].load() is oneiric_duckdb.DuckdbAdapter


def test_every_public_name_is_there() -> None:
    assert all(hasattr(oneiric_duckdb, name) for name in oneiric_duckdb.__all__)


def test_its_passport_speaks_for_it() -> None:
    passport, problem = passport_of(discover()["duckdb"])
    assert passport is not None, f"{problem} Run: oneiric conformance duckdb --write"
    assert (passport.conformant, problem) == (True, None)
