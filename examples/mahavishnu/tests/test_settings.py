from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oneiric.errors import ConfigError
from pydantic import ValidationError

from mahavishnu import MahavishnuApp, MahavishnuSettings
from mahavishnu.repositories import RepositorySettings

if TYPE_CHECKING:
    from conftest import Site

CANARY = "canary-5d10"


def settings() -> MahavishnuSettings:
    return MahavishnuSettings()


def test_each_layer_lies_over_the_one_before(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.folder / "mahavishnu.yaml").write_text(
        "oneiric_mcp_url: http://127.0.0.1:1/mcp\n"
        "task_retries: 7\n"
        "poll_interval: 0.5\n"
        "adapters: {queue: from-yaml, messages: from-yaml, journal: from-yaml}\n"
        "repositories: {root: /yaml}\n",
        encoding="utf-8",
    )
    assert settings().adapters == {"queue": "from-yaml", "messages": "from-yaml", "journal": "from-yaml"}
    (site.folder / ".env").write_text(
        "MAHAVISHNU_POLL_INTERVAL=0.25\nMAHAVISHNU_ADAPTERS__MESSAGES=from-dotenv\nOTHERS=1\n", encoding="utf-8"
    )
    monkeypatch.setenv("MAHAVISHNU_ADAPTERS__QUEUE", "from-environment")
    monkeypatch.setenv("MAHAVISHNU_REPOSITORIES__ROOT", "/environment")
    monkeypatch.setenv("MAHAVISHNU_TASK_RETRIES", "5")
    both = settings()
    assert both.adapters == {"queue": "from-environment", "messages": "from-dotenv", "journal": "from-yaml"}
    assert (both.oneiric_mcp_url, both.task_retries, both.poll_interval) == ("http://127.0.0.1:1/mcp", 5, 0.25)
    assert str(both.repositories.root) == "/environment"
    assert MahavishnuSettings(task_retries=2, repositories=RepositorySettings(root=site.folder)).task_retries == 2
    assert both.mcp_timeout == 10


def test_a_misspelled_setting_is_an_error(site: Site) -> None:
    (site.folder / "mahavishnu.yaml").write_text("task_retrys: 7\nrepositories: {root: .}\n", encoding="utf-8")
    with pytest.raises(ValidationError, match="task_retrys"):
        settings()


def test_a_token_never_shows(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAHAVISHNU_ONEIRIC_MCP_TOKEN", CANARY)
    monkeypatch.setenv("MAHAVISHNU_REPOSITORIES__ROOT", ".")
    assert CANARY not in repr(settings())
    monkeypatch.setenv("MAHAVISHNU_REPOSITORIES__NO", CANARY)
    with pytest.raises(ValidationError) as caught:
        settings()
    assert CANARY not in str(caught.value)


async def test_the_command_says_what_is_wrong(site: Site) -> None:
    code, _, errors = await site.run("adapters", url="http://127.0.0.1:9/mcp", MAHAVISHNU_TASK_RETRIES=CANARY)
    assert (code, CANARY in errors) == (1, False)
    assert errors.startswith("Error: the settings are wrong.\n  - `task_retries`: ")


@pytest.mark.parametrize("name", ["client", "settings", "sweep", "repositories", "_known", "Queue", "a-b", ""])
def test_an_attribute_of_the_applications_own_is_no_adapters(site: Site, name: str) -> None:
    with pytest.raises((ConfigError, ValidationError)):
        MahavishnuApp(
            MahavishnuSettings(
                adapters={"queue": "jobs", "messages": "events", name: "jobs"},
                repositories=RepositorySettings(root=site.folder),
            )
        )


def test_the_attributes_that_it_uses_itself_are_needed(site: Site) -> None:
    with pytest.raises(ConfigError, match=r"`adapters\.messages` is needed"):
        MahavishnuApp(MahavishnuSettings(adapters={"queue": "jobs"}, repositories=RepositorySettings(root=site.folder)))
