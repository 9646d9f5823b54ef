"""`oneiric tokens`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from oneiric_mcp.auth.command import _duration
from oneiric_mcp.auth.token_file import TokenFile, hash_of

if TYPE_CHECKING:
    from conftest import Site


def test_a_token_is_printed_once_and_alone(site: Site):
    done = site.run("-m", "oneiric", "tokens", "create", "ci", "--scope", "adapters:run", "--file", "t.json")
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    (stored,) = TokenFile(site.work / "t.json").tokens()
    assert stored.sha256 == hash_of(token)
    assert sorted(stored.scopes) == ["adapters:read", "adapters:run"]
    assert "valid until it is revoked" in done.stderr
    assert token not in done.stderr
    listed = site.run("-m", "oneiric", "tokens", "list", "--file", "t.json")
    assert "ci" in listed.stdout
    assert token not in listed.stdout
    assert stored.sha256 not in listed.stdout


def test_without_a_file_it_is_that_of_the_user_s_config(site: Site):
    assert site.run("-m", "oneiric", "tokens", "create", "ci").returncode == 0
    (found,) = (site.home / "config").rglob("tokens.json")
    assert len(TokenFile(found).tokens()) == 1


def test_as_json(site: Site):
    file = ("--file", "t.json", "--json")
    made = json.loads(site.run("-m", "oneiric", "tokens", "create", "ci", "--expires", "90d", *file).stdout)
    assert made["token"].startswith("oneiric_")
    (listed,) = json.loads(site.run("-m", "oneiric", "tokens", "list", *file).stdout)
    assert listed == {name: made[name] for name in ("name", "scopes", "created", "expires")}
    assert listed["expires"] > listed["created"]


def test_revoke(site: Site):
    for name in ("ci", "ops"):
        site.run("-m", "oneiric", "tokens", "create", name, "--file", "t.json")
    assert site.run("-m", "oneiric", "tokens", "revoke", "ci", "--file", "t.json").returncode == 0
    assert [token.name for token in TokenFile(site.work / "t.json").tokens()] == ["ops"]
    done = site.run("-m", "oneiric", "tokens", "revoke", "ci", "--file", "t.json")
    assert (done.returncode, done.stderr) == (1, "Error: There is no token 'ci'. There are: `ops`.\n")


@pytest.mark.parametrize("expires", ["", "0d", "-1d", "90", "d", "90y", "1.5d", "9999999d", "1d ", "1D"])
def test_what_is_no_time_is_refused(expires: str):
    with pytest.raises(typer.BadParameter, match="of 3650 days at most"):
        _duration(expires)


def test_an_empty_time_makes_no_token_that_is_valid_for_ever(site: Site):
    done = site.run("-m", "oneiric", "tokens", "create", "ci", "--expires", "", "--file", "t.json")
    assert done.returncode == 2
    assert not (site.work / "t.json").exists()


def test_a_scope_that_there_is_not_is_a_usage_error(site: Site):
    done = site.run("-m", "oneiric", "tokens", "create", "ci", "--scope", "adapters:all", "--file", "t.json")
    assert done.returncode == 2
    assert "adapters:write" in done.stderr
