"""Validation: every problem at once, in sentences without values."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal
from uuid import UUID  # noqa: TC003 - pydantic reads it

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric import AdapterSettings
from oneiric.validation import MAX_DEPTH, MAX_PROBLEMS, MAX_SIZE, Problem, check, nearest
from pydantic import AnyUrl, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError


class Pool(AdapterSettings):
    size: int = 1


class Plain(AdapterSettings):
    kind: Literal["plain"] = "plain"
    retries: int = 3


class Tls(AdapterSettings):
    kind: Literal["tls"] = "tls"
    certificate: str = ""


class Settings(AdapterSettings):
    dsn: str = Field("x", max_length=10)
    password: SecretStr = SecretStr("")
    mode: Literal["read", "write"] = "read"
    pool: Pool = Pool()
    other: Pool | None = None
    pools: list[Pool] = []
    by_name: dict[str, Pool] = {}
    by_number: dict[int, str] = {}
    transport: Annotated[Plain | Tls, Field(discriminator="kind")] = Plain()
    either: Plain | Tls = Plain()
    key: UUID | None = None
    link: AnyUrl | None = None
    blob: bytes = b""
    aliased: int = Field(1, alias="max-size")


class Required(AdapterSettings):
    host: str
    port: int


def messages(config: object, model: type[AdapterSettings] = Settings) -> list[str]:
    valid, problems = check(model, config)
    assert (valid is None) == bool(problems)
    return [str(problem) for problem in problems]


def test_a_right_config_becomes_the_model():
    valid, problems = check(Settings, {"dsn": "y", "pool": {"size": "3"}, "by_number": {5: "five"}, "max-size": 2})
    assert valid is not None
    assert (valid.dsn, valid.pool.size, valid.by_number, valid.aliased) == ("y", 3, {5: "five"}, 2)
    assert problems == ()


def test_nothing_is_an_empty_config():
    assert check(Settings, None)[0] == Settings()
    assert messages(None, Required) == ["`host` is required.", "`port` is required."]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"dns": 1}, "`dns` is not a setting. Did you mean `dsn`?"),
        ({"DSN": 1}, "`DSN` is not a setting. Did you mean `dsn`?"),
        ({"by-name": 1}, "`by-name` is not a setting. Did you mean `by_name`?"),
        ({"max-siz": 1}, "`max-siz` is not a setting. Did you mean `max-size`?"),
        ({"pool": {"siz": 1}}, "`pool.siz` is not a setting. Did you mean `size`?"),
        ({"pool": {"zzz": 1}}, "`pool.zzz` is not a setting. The settings are `size`."),
        ({"other": {"siz": 1}}, "`other.siz` is not a setting. Did you mean `size`?"),
        ({"pools": [{}, {"siz": 1}]}, "`pools[1].siz` is not a setting. Did you mean `size`?"),
        ({"by_name": {"a": {"siz": 1}}}, "`by_name.a.siz` is not a setting. Did you mean `size`?"),
        (
            {"transport": {"kind": "tls", "certificat": ""}},
            "`transport.tls.certificat` is not a setting. Did you mean `certificate`?",
        ),
        ({"transport": {"kind": "hunter2"}}, "`transport`: 'kind' should be one of 'plain', 'tls'."),
        ({"mode": "hunter2"}, "`mode`: input should be 'read' or 'write'."),
        (
            {"pool": {"size": "hunter2"}},
            "`pool.size`: input should be a valid integer, unable to parse string as an integer.",
        ),
        ({"pool": 5}, "`pool`: input should be a valid dictionary or instance of Pool."),
        ({"key": "hunter2"}, "`key`: should be a valid UUID."),
        ({"link": "hunter2"}, "`link`: input should be a valid URL, relative URL without a base."),
        ({"dsn": "hunter2hunter2"}, "`dsn`: string should have at most 10 characters."),
        ({"password": 5}, "`password`: input should be a valid string."),
        ({5: "hunter2"}, "`[5]`: keys should be strings."),
        ("hunter2", "A config is a mapping of settings, not a string."),
        ([1], "A config is a mapping of settings, not a list."),
        (True, "A config is a mapping of settings, not a boolean."),
        (5, "A config is a mapping of settings, not a value of type int."),
        ({None: 1}, "A key of a config is a string, not null."),
        ({"dsn": {1.5: 1}}, "A key of a config is a string, not a value of type float."),
        ({10**5000: 1}, "A key of a config is a string, not a value of type int."),
        ({"pool": {"a\x00b": 1}}, "A key holds a NUL or another character that can't be printed."),
        ({"\x9b31m": 1}, "A key holds a NUL or another character that can't be printed."),
        ({"\ud800": 1}, "A key holds a NUL or another character that can't be printed."),
        ({"dsn": "\ud800"}, "A value holds half a character: it is not Unicode text."),
    ],
)
def test_each_problem_is_a_sentence_with_its_path(config: object, message: str):
    assert messages(config) == [message]


def test_all_problems_are_told_at_once():
    assert messages({"host": [], "prot": 1}, Required) == [
        "`host`: input should be a valid string.",
        "`port` is required.",
        "`prot` is not a setting. Did you mean `port`?",
    ]


def test_a_problem_of_a_union_names_its_member_and_the_nearest_key():
    assert "`either.Plain.retry` is not a setting. Did you mean `retries`?" in messages({"either": {"retry": 1}})


def test_settings_without_fields_have_no_list_of_fields():
    assert messages({"x": 1}, AdapterSettings) == ["`x` is not a setting."]


def test_a_long_key_is_cut_in_the_sentence():
    (message,) = messages({"k" * 10_000: 1})
    assert len(message) < 500


def test_of_very_many_problems_a_hundred_are_told():
    started = time.perf_counter()
    told = messages({f"k{number}": 1 for number in range(30_000)})
    assert len(told) == MAX_PROBLEMS + 1
    assert told[-1] == "29900 more are wrong."
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("branch", [dict, list])
def test_depth_is_limited_before_anything_recurses(branch: type):
    def nested(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = {"k": value} if branch is dict else [value]
        return value

    too_deep = f"The config is nested more than {MAX_DEPTH} levels deep."
    assert messages({"dsn": nested(MAX_DEPTH)}) == [too_deep]
    assert messages({"dsn": nested(100_000)}) == [too_deep]
    assert too_deep not in messages({"dsn": nested(MAX_DEPTH - 1)})


def test_a_config_that_holds_itself_is_nested_too_deep():
    config: dict[str, Any] = {}
    config["pool"] = config
    assert messages(config) == [f"The config is nested more than {MAX_DEPTH} levels deep."]


@pytest.mark.parametrize(
    "config",
    [
        {"dsn": "x" * (MAX_SIZE + 1)},
        {"x" * (MAX_SIZE + 1): 1},
        {"blob": b"x" * (MAX_SIZE + 1)},
        {"dsn": [0] * (MAX_SIZE + 1)},
        {"pools": [{"a": "x" * 1000}] * 1000},
    ],
)
def test_size_is_limited(config: object):
    assert messages(config) == [f"The config is too large: it may hold {MAX_SIZE // 1024} KiB of text."]


def test_a_bomb_of_references_is_not_expanded():
    value: Any = ["x" * 100]
    for _ in range(20):
        value = [value] * 10
    assert messages({"dsn": value}) == [f"The config is too large: it may hold {MAX_SIZE // 1024} KiB of text."]


class Talkative(AdapterSettings):
    """Settings whose validators quote what they are given, as people write them."""

    host: str = ""
    name: str = ""
    tag: str = ""
    code: str = ""

    @field_validator("host")
    @classmethod
    def _host(cls, value: str) -> str:
        if value:
            raise ValueError(f"the host {value!r} can't be reached")
        return value

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        assert not value, f"{value} is no name"
        return value

    @field_validator("tag")
    @classmethod
    def _tag(cls, value: str) -> str:
        if value:
            raise PydanticCustomError("tag", "no tag: {value}", {"value": value})
        return value

    @model_validator(mode="after")
    def _all(self) -> Talkative:
        if self.code:
            raise ValueError(f"{self.code} doesn't go with the rest")
        return self


# Letters that our own sentences don't have, so that finding them is finding the value.
canaries = st.text(st.sampled_from("XYZÄ漢'\"\\\n0"), min_size=6).filter(lambda text: len(set(text)) > 1)


@given(canaries)
def test_a_settings_class_that_quotes_the_value_is_not_passed_on(canary: str):
    for field in ("host", "name", "tag", "code"):
        (message,) = messages({field: canary}, Talkative)
        assert canary not in message
        assert repr(canary)[1:-1] not in message


@given(
    st.sampled_from([*Settings.model_fields, "max-size", "dns"]),
    canaries,
    st.sampled_from(["plain", "list", "dict", "inner", "kind"]),
)
def test_no_sentence_repeats_a_value(field: str, canary: str, shape: str):
    value: Any = {
        "plain": canary,
        "list": [canary],
        "dict": {"a": canary},
        "inner": [{"size": canary}],
        "kind": {"kind": canary},
    }[shape]
    text = "".join(messages({field: value}))
    assert canary not in text
    assert repr(canary)[1:-1] not in text


class Broken(AdapterSettings):
    host: str = ""

    @field_validator("host")
    @classmethod
    def _host(cls, value: str) -> str:
        raise TypeError(f"secret {value}")


def test_a_validator_that_raises_anything_else_is_a_problem_of_its_package():
    assert messages({"host": "hunter2"}, Broken) == [
        "Broken can't check this config: its own code raised TypeError.",
    ]


def test_a_name_written_as_in_the_message_keeps_its_capitals():
    class Web(AdapterSettings):
        link: Annotated[AnyUrl, Field()] | None = None
        site: Annotated[str, Field(pattern="^https:")] = "https:"

        @field_validator("link")
        @classmethod
        def _link(cls, _: object) -> object:
            raise ValueError("URL scheme should be https")

    assert messages({"link": "http://a"}, Web) == ["`link`: URL scheme should be https."]


def test_a_sentence_may_name_the_scheme_of_a_url_and_none_of_the_rest():
    class Web(AdapterSettings):
        link: str = ""

        @field_validator("link")
        @classmethod
        def _link(cls, value: str) -> str:
            raise ValueError(f"write gopher://host instead of {value.replace('gopher://', '').strip()}")

    assert messages({"link": "gopher://geheim"}, Web) == ["`link`: write gopher://host instead of …."]
    assert messages({"link": "geheim gopher://"}, Web) == ["`link`: write gopher://host instead of …."]


KINDS = "`redis`, `local storage`"


class Store(AdapterSettings):
    kind: str = ""
    link: str = ""
    password: SecretStr | None = None

    @field_validator("kind")
    @classmethod
    def _kind(cls, value: str) -> str:
        if not value:
            return value
        try:
            raise LookupError("a redis of another kind can't be had")
        except LookupError as error:
            raise ValueError(f"{error}; the kinds are {KINDS}") from None

    @field_validator("link")
    @classmethod
    def _link(cls, value: str) -> str:
        if value:
            raise ValueError(f"{value} isn't {value[1:5]!r} or {value[:6]}, and not 'redis' either")
        return value

    @model_validator(mode="after")
    def _together(self) -> Store:
        if self.password is not None:
            raise ValueError(f"a redis wants no password, as {self.password.get_secret_value()}")
        return self


@pytest.mark.parametrize("value", ["redis", "Redis", "storage", "local storage", "kind", "a redis of another kind"])
def test_a_sentence_keeps_its_own_words_though_the_value_has_them_too(value: str):
    said = "`kind`: a redis of another kind can't be had; the kinds are `redis`, `local storage`."
    assert messages({"kind": value}, Store) == [said]


def test_what_it_quotes_of_the_value_goes():
    assert messages({"link": "geheimnis"}, Store) == ["`link`: … isn't … or …, and not 'redis' either."]
    assert messages({"link": "redisgeheim"}, Store) == ["`link`: … isn't … or …, and not 'redis' either."]


def test_of_a_secret_not_even_a_word_of_its_own_is_left():
    assert messages({"password": "redis"}, Store) == ["a … wants no password, as …."]
    assert messages({"password": "my redis"}, Store) == ["a … wants no password, as …."]
    assert messages({"password": "geheimnis", "kind": ""}, Store) == ["a redis wants no password, as …."]


def test_nearest_ignores_case_and_the_choice_of_dash():
    assert nearest("Redis_Streams", ["redis-streams", "redis-pubsub"]) == ["redis-streams"]
    assert nearest("redis", ["redis-streams", "redis-rq"], n=3) == ["redis-rq"]
    assert nearest("zzz", ["sqlite"]) == []
    assert nearest("x" * 10**6, ["sqlite"]) == []


def test_a_problem_says_what_was_probably_meant():
    assert str(Problem("a", "`a` is not a setting.", "b")) == "`a` is not a setting. Did you mean `b`?"
    assert str(Problem("a", "`a` is required.")) == "`a` is required."
