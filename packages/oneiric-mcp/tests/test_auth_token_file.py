"""The file of tokens."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.auth.stored_tokens import StoredTokens
from oneiric_mcp.auth.token_file import PREFIX, TokenFile, TokenFileRefused, TokenNameRefused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "deep" / "tokens.json")


async def scopes_of(file: TokenFile, token: str) -> list[str] | None:
    found = await StoredTokens(file).verify_token(token)
    return found.scopes if found else None


async def test_a_token_is_known_by_its_hash_alone(file: TokenFile):
    token = file.create("ci", [Scope.RUN])
    assert token.startswith(PREFIX)
    assert len(token) >= 43 + len(PREFIX)
    assert token not in file.path.read_text()
    assert token.removeprefix(PREFIX) not in file.path.read_text()
    assert await scopes_of(file, token) == ["adapters:read", "adapters:run"]
    for wrong in ("", PREFIX, token[:-1], token + "x", token.upper(), "\udc80", PREFIX + "\udc80", "ci", "x" * 10_000):
        assert await scopes_of(file, wrong) is None


async def test_every_token_may_read(file: TokenFile):
    assert await scopes_of(file, file.create("ci", [])) == ["adapters:read"]


async def test_a_token_of_which_the_time_is_over_is_not_known(file: TokenFile):
    token = file.create("ci", [], timedelta(seconds=-1))
    assert await scopes_of(file, token) is None
    assert file.tokens()[0].has_expired


async def test_a_revoked_token_is_not_known_from_then_on_and_the_others_are(file: TokenFile):
    one, two = file.create("one", []), file.create("two", [])
    verifier = StoredTokens(file)
    assert await verifier.verify_token(one)
    file.revoke("one")
    assert await verifier.verify_token(one) is None
    assert await verifier.verify_token(two)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tokens": 5}', '{"tokens": [{"name": "x"}]}', "\x00" * 10])
async def test_a_file_that_becomes_unreadable_lets_nobody_in_until_it_is_mended(
    file: TokenFile, content: str, caplog: pytest.LogCaptureFixture
):
    token = file.create("ci", [])
    good = file.path.read_text()
    verifier = StoredTokens(file)
    file.path.write_text(content)
    assert await verifier.verify_token(token) is None
    assert await verifier.verify_token(token) is None
    assert caplog.text.count("No token is accepted") == 1
    file.path.write_text(good)
    assert await verifier.verify_token(token)
    file.path.unlink()
    assert await verifier.verify_token(token) is None


def test_a_missing_file_says_what_makes_one(file: TokenFile):
    with pytest.raises(TokenFileRefused, match=r"can't be read: No such file.*`oneiric tokens create`"):
        file.tokens()
    with pytest.raises(TokenFileRefused, match="can't be read"):
        StoredTokens(file)


def test_a_scope_that_there_is_not_makes_the_file_refused(file: TokenFile):
    file.create("ci", [])
    file.path.write_text(file.path.read_text().replace("adapters:read", "adapters:everything"))
    with pytest.raises(TokenFileRefused, match="is not a file of tokens"):
        file.tokens()


def test_two_tokens_of_one_name_make_the_file_refused(file: TokenFile):
    file.create("ci", [])
    content = json.loads(file.path.read_text())
    file.path.write_text(json.dumps({"tokens": content["tokens"] * 2}))
    with pytest.raises(TokenFileRefused, match="is not a file of tokens"):
        file.tokens()


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o604, 0o644, 0o777])
def test_a_file_that_others_may_write_or_all_may_read_is_refused(file: TokenFile, mode: int):
    file.create("ci", [])
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.path.chmod(mode)
    with pytest.raises(TokenFileRefused, match=rf"mode {mode:04o}\)\..*chmod 600"):
        file.tokens()
    with pytest.raises(TokenFileRefused):
        file.create("more", [])


def test_a_group_may_read_it_as_a_mounted_secret_s(file: TokenFile):
    file.create("ci", [])
    file.path.chmod(0o440)
    assert len(file.tokens()) == 1


def test_a_folder_or_a_device_is_refused(tmp_path: Path):
    with pytest.raises(TokenFileRefused):
        TokenFile(tmp_path).tokens()
    with pytest.raises(TokenFileRefused):
        TokenFile("/dev/null").tokens()


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "-a", "a" * 65, "a/b", "é", '"', "a\x1b[2J"])
def test_what_can_not_be_a_name_is_refused_without_repeating_it(file: TokenFile, name: str):
    with pytest.raises(TokenNameRefused) as caught:
        file.create(name, [])
    assert str(caught.value).startswith("That can't be the name of a token.")
    assert not file.path.exists()


def test_a_name_is_given_once(file: TokenFile):
    file.create("ci", [])
    with pytest.raises(TokenNameRefused, match="There is a token `ci` already"):
        file.create("ci", [Scope.WRITE])
    with pytest.raises(TokenNameRefused, match=r"There is no token 'cd'\. There are: `ci`\."):
        file.revoke("cd")


def test_many_writers_at_once_lose_none(file: TokenFile):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: file.create(f"t{number}", []), range(40)))
    assert len(file.tokens()) == 40
    assert [
        path.name for path in file.path.parent.iterdir() if path.name not in ("tokens.json", ".tokens.json.lock")
    ] == []


def test_writers_in_other_processes_lose_none(file: TokenFile):
    code = (
        "import sys; from oneiric_mcp.auth.token_file import TokenFile\n"
        "for number in range(10): TokenFile(sys.argv[1]).create(sys.argv[2] + str(number), [])"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(file.path), name]) for name in "abc"]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert len(file.tokens()) == 30


def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new(file: TokenFile):
    file.create("first", [])
    code = (
        "import sys; from oneiric_mcp.auth.token_file import TokenFile\nprint(flush=True)\n"
        "for number in range(10000): TokenFile(sys.argv[1]).create('n' + str(number), [])"
    )
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", code, str(file.path)], stdout=subprocess.PIPE)
        assert child.stdout
        child.stdout.readline()
        before = len(file.tokens())
        while len(file.tokens()) == before:
            assert child.poll() is None
        child.kill()
        child.communicate()
        stored = file.tokens()
        assert len(stored) > before
        for token in stored[1:]:
            file.revoke(token.name)


def test_a_file_in_place_of_the_folder_is_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenFileRefused, match="can't be written"):
        TokenFile(tmp_path / "file" / "tokens.json").create("ci", [])
