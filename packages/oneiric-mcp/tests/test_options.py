"""Which options go together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConfigError, OneiricError
from oneiric_mcp.options import Options, OptionsRefused

if TYPE_CHECKING:
    from conftest import Site

JWT = {"jwt_key": Path("k"), "jwt_issuer": "i", "jwt_audience": "a"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"allow_writes": True},
        {"http": True},
        {"http": True, "tokens": Path("t"), "allow_writes": True},
        {"http": True, "allow_writes": True, **JWT},
        {"http": True, "tokens": Path("t"), **JWT},
        {
            "http": True,
            "public_hosts": ("mcp.example.com", "[::1]", "10.0.0.1"),
            "origins": ("https://a.example:8443",),
        },
        {"allowed_hosts": ("db.example.com", "*.example.com:5432", "10.0.0.0/8")},
    ],
    ids=str,
)
def test_these_do(options: dict[str, Any]):
    Options(**options).check()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tokens": Path("t")}, "for HTTP only"),
        ({**JWT}, "for HTTP only"),
        ({"public_hosts": ("a",)}, "for HTTP only"),
        ({"http": True, "allow_writes": True}, "need not say who they are"),
        ({"http": True, "jwt_key": Path("k")}, "give --jwt-issuer and --jwt-audience"),
        ({"http": True, "jwt_key": Path("k"), "jwt_issuer": "i"}, "give --jwt-issuer and --jwt-audience"),
        ({"http": True, "jwt_issuer": "i", "jwt_audience": "a"}, "either --jwt-key or --jwt-jwks"),
        ({"http": True, **JWT, "jwt_jwks": "https://a"}, "either --jwt-key or --jwt-jwks"),
        ({"http": True, "allow_writes": True, "jwt_issuer": "i"}, "either --jwt-key or --jwt-jwks"),
        ({"http": True, "public_hosts": ("*",)}, "--public-host"),
        ({"http": True, "public_hosts": ("*.example.com",)}, "--public-host"),
        ({"http": True, "public_hosts": ("a:80",)}, "--public-host"),
        ({"http": True, "public_hosts": ("",)}, "--public-host"),
        ({"http": True, "origins": ("*",)}, "--allow-origin"),
        ({"http": True, "origins": ("https://*.example.com",)}, "--allow-origin"),
        ({"http": True, "origins": ("https://a/path",)}, "--allow-origin"),
        ({"http": True, "origins": ("null",)}, "--allow-origin"),
    ],
    ids=str,
)
def test_these_don_t(options: dict[str, Any], said: str):
    with pytest.raises(OptionsRefused, match=said):
        Options(**options).check()


@pytest.mark.parametrize("host", ["", "*", "a b", "http://a", "a:99999999", "10.0.0.0/99"])
def test_a_host_that_is_written_wrongly(host: str):
    with pytest.raises(ConfigError, match="is no host that could be allowed"):
        Options(allowed_hosts=(host,)).check()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--http", "--allow-writes"),
            "Not serving tools that write over HTTP to callers who need not say who they are.",
        ),
        (("--tokens",), "Tokens, JWTs, public hosts and origins are for HTTP only."),
        (("--http", "--tokens", "gone.json"), "The tokens in gone.json can't be read: No such file or directory."),
        (
            ("--http", "--jwt-key", "gone.pem", "--jwt-issuer", "i", "--jwt-audience", "a"),
            "The key gone.pem can't be read: No such file or directory.",
        ),
        (("--http", "--host", "0.0.0.0"), "Not listening on 0.0.0.0"),
        (("--allow-host", "http://a"), "'http://a' is no host that could be allowed."),
    ],
    ids=str,
)
def test_a_refusal_is_a_sentence_at_the_start(site: Site, arguments: tuple[str, ...], said: str):
    done = site.run("-m", "oneiric_mcp", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {said}")
    assert issubclass(OptionsRefused, OneiricError)
