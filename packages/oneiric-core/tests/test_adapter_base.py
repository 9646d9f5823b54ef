"""Adapter, AdapterSettings and Health."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oneiric import Adapter, AdapterSettings, ConfigError, Health
from pydantic import AnyUrl, BaseModel, SecretStr, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable


class Settings(AdapterSettings):
    path: str = "x"
    """Where it is."""
    password: SecretStr = SecretStr("")


class Recorder(Adapter):
    settings_class = Settings

    def __init__(self, settings: object = None, *, fails: type[BaseException] | None = None) -> None:
        super().__init__(settings)  # type: ignore[arg-type]
        self.calls: list[str] = []
        self.fails = fails

    async def init(self) -> None:
        self.calls.append("init")
        if self.fails:
            raise self.fails("no")

    async def health(self) -> bool:
        return self.calls[-1:] == ["init"]

    async def cleanup(self) -> None:
        self.calls.append("cleanup")


@pytest.mark.parametrize(
    "settings",
    [Settings(path="y"), {"path": "y"}, type("Other", (BaseModel,), {"__annotations__": {"path": str}})(path="y")],
)
def test_settings_are_an_object_a_mapping_or_another_model(settings: object):
    assert Recorder(settings).settings == Settings(path="y")


def test_without_settings_defaults_do():
    assert Recorder().settings == Settings()
    assert Recorder(None).settings == Settings()


def test_an_adapter_without_a_settings_class_takes_none():
    class Simple(Adapter):
        async def init(self) -> None: ...
        async def health(self) -> bool:
            return True

        async def cleanup(self) -> None: ...

    assert Simple().settings == AdapterSettings()
    with pytest.raises(ConfigError, match="`path` is not a setting"):
        Simple({"path": "x"})


def test_wrong_settings_are_told_all_at_once_and_without_values():
    with pytest.raises(ConfigError) as caught:
        Recorder({"pth": "hunter2", "password": ["hunter2"]})
    assert [problem.path for problem in caught.value.problems] == ["password", "pth"]
    assert "Recorder" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_settings_are_frozen_and_hide_what_they_were_given():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().path = "y"  # type: ignore[misc]
    with pytest.raises(ValidationError) as caught:
        Settings(password=["hunter2"])  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(Settings(password=SecretStr("hunter2")))


def test_a_setting_is_described_by_the_string_below_it():
    assert Settings.model_json_schema()["properties"]["path"]["description"] == "Where it is."


@pytest.mark.parametrize("missing", ["init", "health", "cleanup"])
def test_a_class_without_one_of_the_three_methods_is_abstract(missing: str):
    async def method(self: object) -> None: ...

    methods: dict[str, Callable[..., object]] = {
        name: method for name in ("init", "health", "cleanup") if name != missing
    }
    with pytest.raises(TypeError, match=missing):
        type("Partial", (Adapter,), methods)()


async def test_async_with_is_init_and_cleanup():
    async with Recorder() as adapter:
        assert adapter.calls == ["init"]
    assert adapter.calls == ["init", "cleanup"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
async def test_async_with_cleans_up_after_a_failed_init(kind: type[BaseException]):
    adapter = Recorder(fails=kind)
    with pytest.raises(kind):
        await adapter.__aenter__()
    assert adapter.calls == ["init", "cleanup"]


async def test_the_error_of_a_failed_init_is_told_even_if_cleanup_fails_too():
    class Twice(Recorder):
        async def cleanup(self) -> None:
            raise OSError("second")

    with pytest.raises(ValueError, match="no") as caught:
        await Twice(fails=ValueError).__aenter__()
    assert caught.value.__notes__ == ["Its cleanup() raised OSError too."]


async def test_async_with_cleans_up_after_a_failed_body():
    adapter = Recorder()
    with pytest.raises(ZeroDivisionError):
        async with adapter:
            1 / 0  # noqa: B018
    assert adapter.calls == ["init", "cleanup"]


def test_the_error_of_an_adapter_not_initialised_says_what_to_call():
    adapter = Recorder()
    assert str(adapter.not_initialized()).startswith("Recorder is not initialised. Call `await adapter.init()`")
    adapter.name = "orders"
    assert str(adapter.not_initialized()).startswith("orders is not initialised.")
    assert adapter.not_initialized().adapter == "orders"


def test_health_is_truthy_when_ok():
    assert Health(ok=True)
    assert not Health(ok=False, detail="Down.")


class Pool(BaseModel):
    dsn: str = "db://app:hunter2@host/"


class Deep(AdapterSettings):
    pools: list[Pool] = [Pool()]
    url: AnyUrl = AnyUrl("db://app:hunter2@host/")


def test_a_settings_repr_shows_no_password_of_a_url_however_deep_it_is():
    assert "hunter2" not in repr(Deep()) + str(Deep())
    assert "app:**********@host" in repr(Deep())


def test_settings_that_do_not_say_what_they_reach_say_nothing():
    assert AdapterSettings().targets() is None
