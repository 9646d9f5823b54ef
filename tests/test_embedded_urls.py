"""An `embedded:` URL means the same to every adapter that takes one, and what is wrong with it is said in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fastmcp import Client
from oneiric import Targets, discover
from oneiric.config import problems_of
from oneiric.embedded import Place
from oneiric.errors import ConfigError
from oneiric_mcp import Installation, build_server

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.spec import AdapterSpec

SPECS = {spec.name: spec for spec in discover() if any(str(value) == "embedded://" for value in spec.example.values())}
PLACES = {
    "embedded://": None,
    "EMBEDDED://": None,
    "embedded://apart": None,
    "embedded:///srv/data": "/srv/data",
    "embedded:///~/data": "~/data",
    "embedded:///~": "~",
    "embedded:///srv/two%20words%3F": "/srv/two words?",
    "embedded:///srv/two words": "/srv/two words",
}
"""What each names: a path, or data that isn't kept."""
WRONG = [
    "embedded://relative/path",
    "embedded://./data",
    "embedded://~/data",
    "embedded://user:geheim@host/",
    "embedded:/data",
    "embedded:",
    "embedded:///",
    "embedded:///data?mode=fast",
    "embedded:///data#x",
    "embedded:///data%00",
    "embedded:///%ff%0a",
]


def config(spec: AdapterSpec, url: str) -> dict[str, object]:
    return {name: url if value == "embedded://" else value for name, value in spec.example.items()}


def test_these_take_one() -> None:
    assert SPECS.keys() >= {"postgres", "pgvector", "qdrant", "celery", "rq", "redis-pubsub", "redis-streams"}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("url", PLACES)
def test_it_names_the_same_place(name: str, url: str) -> None:
    spec = SPECS[name]
    path = PLACES[url]
    assert Place.parse(url).path == path
    settings = spec.settings.model_validate(config(spec, url))
    assert settings.targets() == Targets(files=(path,) if path else ())
    assert ("durable" in settings.lacks()) == ("durable" in spec.capabilities and path is None)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("url", WRONG)
def test_what_is_wrong_is_said_in_the_same_words(name: str, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Place.parse(url)
    sentence = str(caught.value)
    (problem,) = problems_of(SPECS[name].settings, config(SPECS[name], url), {})
    assert problem.message.partition(": ")[2].casefold() == sentence.casefold()
    assert "geheim" not in problem.message


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs of servers that anybody wants to join."""
    urls: list[str] = []

    async def join(url: str, *_: object, **__: object) -> None:
        urls.append(url)
        raise ConfigError("This test starts no server.")

    for module in ("postgres.server_adapter", "rq.engine", "celery.homes", "redis_pubsub.bus"):
        monkeypatch.setattr(f"oneiric_{module}.join", join)
    return urls


@pytest.mark.parametrize("name", SPECS)
async def test_a_config_from_the_wire_starts_no_server(name: str, tmp_path: Path, started: list[str]) -> None:
    stored, other = f"embedded://{uuid4().hex}", f"embedded://{uuid4().hex}"
    spec = SPECS[name]
    (key,) = (each for each, value in spec.example.items() if value == "embedded://")
    file = tmp_path / "oneiric.yaml"
    file.write_text(f"adapters: {{it: {{adapter: {name}, {key}: '{stored}'}}}}", encoding="utf-8")
    async with Client(build_server(Installation(file), allow_writes=True)) as client:

        async def call(tool: str, url: str) -> Any:
            given = {"adapter_name": name if tool == "validate_adapter_config" else "it", "config": config(spec, url)}
            return (await client.call_tool(tool, given)).structured_content

        for url in (other, "embedded://", f"embedded://{tmp_path}/data"):
            assert (await call("validate_adapter_config", url))["valid"]
            answer = await call("test_adapter_connection", url)
            assert (answer["success"], answer["error_class"]) == (False, "TargetRefused")
            assert "in no stored config" in answer["error"]
        assert started == []
        assert not (tmp_path / "data").exists()
        await call("test_adapter_connection", stored)
        assert started == ([] if name == "qdrant" else [stored])
