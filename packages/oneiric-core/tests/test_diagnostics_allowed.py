"""How an operator writes the hosts that may be reached."""

from __future__ import annotations

import pytest
from oneiric import ConfigError, Endpoint
from oneiric.diagnostics import AllowedTargets
from oneiric.diagnostics.allowed import AllowedHost


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("db.example.com", ["db.example.com:1", "DB.Example.COM.:2"], ["x.db.example.com:1", "example.com:1", "db:1"]),
        (
            "*.example.com",
            ["a.example.com:1", "b.a.example.com:2"],
            ["example.com:1", "aexample.com:1", "a.example.org:1"],
        ),
        ("db.example.com:5432", ["db.example.com:5432"], ["db.example.com:5433"]),
        ("*.example.com:443", ["a.example.com:443"], ["a.example.com:80"]),
        ("10.1.2.3", ["10.1.2.3:1", "10.66051:1"], ["10.1.2.4:1", "ten.example.com:1", "::ffff:10.1.2.3:1"]),
        ("10.0.0.0/8", ["10.1.2.3:1"], ["11.0.0.1:1", "ten.example.com:1"]),
        ("10.0.0.0/8:6379", ["10.1.2.3:6379"], ["10.1.2.3:1"]),
        ("::1", ["::1:1", "0:0:0:0:0:0:0:1:1"], ["::2:1"]),
        ("[::1]", ["::1:1", "[::1]:1"], ["::2:1"]),
        ("[fd00::1]:6379", ["fd00::1:6379"], ["fd00::1:1"]),
        ("fd00::/8", ["fd12::1:1"], ["fe00::1:1", "10.0.0.1:1"]),
        ("bücher.example", ["xn--bcher-kva.example:1", "BÜCHER.example:1"], ["bucher.example:1"]),
    ],
)
def test_what_a_pattern_allows(pattern: str, allowed: list[str], refused: list[str]):
    host = AllowedHost.parse(pattern)
    for text in (*allowed, *refused):
        name, _, port = text.rpartition(":")
        assert host.allows(Endpoint(name, int(port))) is (text in allowed), text


@pytest.mark.parametrize(
    "pattern",
    ["", "*", "*.", "a*.example.com", "*.*.com", "10.0.0.0/33", "db.example.com/8", "db:port", "db:0", "db:123456",
     "http://db.example.com", "a b", "user@db.example.com", "db.example.com, other", "\udcff"],
)  # fmt: skip
def test_a_pattern_that_is_none_is_told_when_it_is_given(pattern: str):
    with pytest.raises(ConfigError, match="is no host that could be allowed"):
        AllowedTargets(frozenset({pattern}))
