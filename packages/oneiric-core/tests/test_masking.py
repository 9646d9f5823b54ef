"""What is shown in place of a secret, in settings and in errors."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from typing import Any, NamedTuple, NewType
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis.strategies import characters, text
from oneiric import AdapterSettings, InitFailed
from oneiric.masking import MASK, hide_secrets, is_secret, masked, secrets_in, without_passwords, without_secrets
from pydantic import AnyUrl, BaseModel, Secret, SecretBytes, SecretStr, ValidationError
from typing_extensions import TypeAliasType, TypedDict

CANARY = "c4n/ry@p:ss%20w'rd"


class Inner(AdapterSettings):
    token: SecretBytes = SecretBytes(b"inner-token")


class Settings(AdapterSettings):
    password: SecretStr = SecretStr(CANARY)
    dsn: str = "postgresql://app:url-pass@db/x?sslpassword=query-pass"
    keywords: str = "host=db password='key word' user=app"
    inner: Inner = Inner()
    more: dict[str, list[SecretStr]] = {"a": [SecretStr("in-a-list")]}


@pytest.mark.parametrize(
    ("shown", "was"),
    [
        ("redis://:**********@host/0", "redis://:pass@host/0"),
        ("a db://u:**********@h/x b", "a db://u:p@ss/w:rd@h/x b"),
        ("postgresql://app@db/x", "postgresql://app@db/x"),
        ("db://h/?user=u&password=**********&ssl=1", "db://h/?user=u&password=pass&ssl=1"),
        ("host=db password=********** user=u", "host=db password='pa ss' user=u"),
        ("API_KEY=**********; x=1", "API_KEY=pass; x=1"),
        ("access_token=**********", "access_token=pass"),
        ("the password is wrong", "the password is wrong"),
        ("https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("db://me@tenant:**********@h/x", "db://me@tenant:pass@h/x"),
        ("db://u:**********@h/x", "db://u:two words@h/x"),
        ("host=db password=********** user=u", r"host=db password='it\'s' user=u"),
        ("host=db password=********** user=u", 'host=db password="it\'s" user=u'),
        ("host=db password=**********", "host=db password='unclosed user=u"),
    ],
)
def test_passwords_of_urls_and_dsns_are_masked(shown: str, was: str):
    assert without_passwords(was) == shown
    assert masked({"a": [was, {"b": was}], "c": 5}) == {"a": [shown, {"b": shown}], "c": 5}


def test_every_secret_of_some_settings_is_found_in_every_form():
    secrets = secrets_in(Settings())
    assert {CANARY, "url-pass", "query-pass", "key word", "inner-token", "in-a-list"} <= secrets
    for form in (
        CANARY,
        repr(CANARY),
        repr(CANARY.encode()),
        repr(repr(CANARY)),
        json.dumps(CANARY),
        quote(CANARY, safe=""),
    ):
        assert "c4n" not in without_secrets(f"it said {form}!", secrets)
    assert "app" not in secrets
    assert secrets_in("postgresql://app:p%40ss@h") >= {"p%40ss", "p@ss"}
    assert secrets_in(r"host=db password='it\'s'") == {"it's"}
    assert secrets_in("db://u:half/other@h") == {"half/other", "half", "other"}
    assert secrets_in([AnyUrl("db://u:url-pass@h"), Secret({"a": ["deep"]}), Proxy(SecretStr("of-a-dataclass"))]) == {
        *("url-pass", "deep", "of-a-dataclass")
    }
    assert secrets_in([Slotted(SecretStr("of-a-slot")), Slotted]) == {"of-a-slot"}
    assert not secrets_in({"a": ["", "nothing", 5, None], "b": SecretStr("ab")})


@dataclass
class Proxy:
    password: SecretStr


@dataclass(slots=True)
class Slotted:
    password: SecretStr


class Credentials(TypedDict):
    token: SecretStr


class Pair(NamedTuple):
    user: str
    password: SecretStr


class Tree(BaseModel):
    left: Tree | None = None
    name: str = ""


Password = NewType("Password", SecretStr)
Alias = TypeAliasType("Alias", list[Password])


@pytest.mark.parametrize(
    "annotation",
    [SecretStr | None, dict[str, list[SecretBytes]], Secret[int], Inner, Proxy, Credentials, Pair, Password, Alias],
)
def test_a_type_that_may_hold_a_secret_is_known(annotation: object):
    assert is_secret(annotation)
    assert is_secret(list[annotation])  # type: ignore[valid-type]


@pytest.mark.parametrize("annotation", [str, AnyUrl, Tree, dict[str, int], None, Any])
def test_a_type_that_may_not_is_no_secret(annotation: object):
    assert not is_secret(annotation)


@given(text(characters(codec="utf-8"), min_size=3), text(), text())
@example("00\0", "00", "")
def test_no_secret_is_left_in_a_text(secret: str, before: str, after: str):
    for form in (secret, repr(secret)[1:-1]):
        shown = without_secrets(f"{before}{form}{after}", secrets_in(SecretStr(secret)))
        assert not [part for part in shown.split(MASK) if secret in part]


class Stubborn(Exception):
    """Shows what can't be changed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.__dict__["show"] = lambda: text

    def __str__(self) -> str:
        return str(self.show())


def errors() -> dict[str, BaseException]:
    def made(error: BaseException, **attributes: Any) -> BaseException:
        vars(error).update(attributes)
        return error

    noted = ValueError("x")
    noted.add_note(f"with {CANARY}")
    return {
        "argument": ValueError(f"no {CANARY} here", CANARY, 5),
        "bytes": ValueError(CANARY.encode()),
        "nested": ValueError({"dsn": [f"db://u:{CANARY}@h", (CANARY,)]}),
        "os error": OSError(2, "No such file", f"/run/{CANARY}"),
        "decode": UnicodeDecodeError("utf-8", f"\xff{CANARY}".encode("latin-1"), 0, 1, "bad byte"),
        "key": KeyError(CANARY),
        "import": ImportError("no", name=CANARY, path=f"/{CANARY}.py"),
        "attributes": made(RuntimeError("x"), detail=f"DETAIL: {CANARY}", query={"q": CANARY}),
        "note": noted,
        "group": ExceptionGroup(f"several {1}", [ValueError(CANARY), OSError(CANARY)]),
        "ours": InitFailed(f"It said {CANARY}.", hint=f"Not {CANARY}!"),
        "stubborn": Stubborn(CANARY),
        "group of stubborn ones": ExceptionGroup("several", [ValueError("x"), ExceptionGroup("y", [Stubborn(CANARY)])]),
        "pydantic's": invalid(),
    }


class Reply(BaseModel):
    count: int


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Reply.model_validate({"count": f"{CANARY} and more than is quoted of it, as {'very ' * 20} long as it is"})
    return caught.value


STUBBORN = {"stubborn", "group of stubborn ones", "pydantic's"}


@pytest.mark.parametrize("inner", errors())
@pytest.mark.parametrize("how", ["cause", "context", "itself"])
def test_no_secret_is_left_in_a_traceback(inner: str, how: str):
    error = errors()[inner]
    try:
        try:
            raise error
        except BaseException as caught:
            if how == "itself":
                raise
            if how == "cause":
                raise InitFailed("The init raised.") from caught
            raise InitFailed("The init raised.")  # noqa: B904 - a context is what this is about
    except BaseException as caught:  # noqa: BLE001
        outer = caught
    is_clean = hide_secrets(outer, secrets_in(SecretStr(CANARY)))
    assert is_clean is not (how == "itself" and inner in STUBBORN)
    shown = "".join(traceback.format_exception(outer)) + repr(outer) + repr(vars(outer))
    assert (CANARY[:6] in shown) is not is_clean
    if inner in STUBBORN and how != "itself":
        assert f"It was raised from a {type(error).__name__}, left out as it holds a secret." in shown
    elif is_clean:
        assert type(error).__name__ in shown


def test_a_circle_of_errors_is_walked_once():
    first, second = ValueError(CANARY), OSError(CANARY)
    first.__cause__, second.__cause__ = second, first
    assert hide_secrets(first, {CANARY})
    assert CANARY not in f"{first}{second}"


def test_without_secrets_an_error_stays_as_it_is():
    error = ValueError("db://u:pass@h")
    assert hide_secrets(error, ())
    assert str(error) == "db://u:pass@h"


@pytest.mark.parametrize(
    "part", ["://:", "://a:b ", "a-", "token-", "password=' ", "\\'", "%5C", "%252522", " ", "x=://"]
)
def test_no_text_takes_longer_than_its_length(part: str):
    text = f"{part * (1_000_000 // len(part))}="  # what looks back from each of its places would take hours
    without_secrets(text, secrets_in([SecretStr(secret) for secret in (CANARY, "'quoted", " spaced", "\nline")]))


def test_what_nests_without_end_is_looked_into_once():
    circle: list[Any] = [CANARY]
    circle += [circle, {"again": circle}]
    deep: list[Any] = [CANARY]
    for _ in range(10_000):
        deep = [deep]
    for nested in (circle, deep):
        error = ValueError(CANARY, nested)
        error.add_note(CANARY)
        hide_secrets(error, {CANARY})
        assert error.__notes__ == [MASK]


class Responding(Exception):
    """Has a property that raises, as those of HTTP clients have."""

    @property
    def text(self) -> str:
        raise RuntimeError("there is no response")


def test_a_property_that_raises_hides_nothing_and_breaks_nothing():
    error = Responding(CANARY)
    assert hide_secrets(error, {CANARY})
    assert str(error) == MASK
